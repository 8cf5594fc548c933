"""Choosing: what could run here, what was measured before, and which candidate the objective prefers."""
