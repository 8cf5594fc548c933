"""Cameras on this machine's own bus: V4L2 devices, what they offer, and which of it is taken."""
