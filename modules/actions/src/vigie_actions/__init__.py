"""Vigie actions module: tells programs on site what happened, as soon as it has happened."""
