"""The control plane of a seat's runtime, pure: events in, effects out, what the shell sees as an argument."""
