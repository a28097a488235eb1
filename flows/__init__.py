"""The roof: where isrflow and the registry are wired together, and where alone Prefect is imported."""
