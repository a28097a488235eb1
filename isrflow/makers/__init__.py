"""Calibrations made and verified from raw exposures."""
