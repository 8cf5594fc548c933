"""Decoding apart from the module: one process per camera, one back end behind a small interface."""
