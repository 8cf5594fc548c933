"""Named faults, each put on the whole running system, with the outcome that is promised."""
