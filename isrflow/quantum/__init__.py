"""The only door between isrflow and the registry."""
