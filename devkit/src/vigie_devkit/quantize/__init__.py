"""Quantization that pays or refuses: recipes per target, calibration, a search for what must stay float, the report."""
