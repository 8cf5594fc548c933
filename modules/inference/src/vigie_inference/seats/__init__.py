"""Several models served at once: each has a seat of its own, with its own updates, runtime and state."""
