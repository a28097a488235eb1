"""The history of the database's schema, run from Python by ``registry.migrate``; see NOTES.md before adding to it."""
