"""Less work while the machine is hot, slows itself down, draws too much power, or has a nearly empty battery."""
