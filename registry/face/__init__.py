"""The parts of a repository's face, one file a room behind it; `registry.butler` puts them together."""
