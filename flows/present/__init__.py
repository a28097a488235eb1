"""What people and programs see of a command: tables, JSON, progress, errors, pictures."""
