"""Vigie preprocess module: fits frames to the serving model's input spec."""
