"""What outlives the hub's process: accepted messages, twins, sessions, keys."""
