"""Where a module's configuration comes from: its environment, its twin, and the last good copy of that on disk."""
