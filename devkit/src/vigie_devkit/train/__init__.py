"""Trains the detector that ships, and detectors of a user's own data. PyTorch is imported only inside this package."""
