"""Engines: opening a model, running it, isolating it, and proving what really ran."""
