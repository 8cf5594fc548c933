"""Measuring: speed, memory and parity of each candidate, in a process of its own."""
