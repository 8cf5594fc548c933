"""The hub's hands: sockets, TLS, disk and clock around the rules of `state`."""
