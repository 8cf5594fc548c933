"""What crosses a process: messages, references, names. Frozen structs, no behaviour beyond checking themselves."""
