"""Where the files of a repository are kept: one file a backend, and a row each in the table of `opening`."""
