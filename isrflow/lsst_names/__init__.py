"""The names of LSST's configuration and ours: one table a task, and the translation of settings by it."""
