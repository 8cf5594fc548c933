"""Vigie camera module: opens cameras, stamps frames, hands them to preprocess."""
