"""Revisions, oldest first; found by alembic through their file names."""
