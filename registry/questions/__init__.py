"""Questions about what has been done and what would be: impact, recall, diff, whatif, coverage, lint."""
