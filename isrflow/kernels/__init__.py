"""Arrays in, arrays out: numpy, scipy and numba, without logging, settings or files."""
