"""Calibration types: one file each, the same five parts in the same order; `kinds` is the table of all."""
