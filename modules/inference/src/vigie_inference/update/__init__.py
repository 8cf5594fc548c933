"""Model update by twin: what was asked for is fetched, verified, tried beside the serving model, and then serves."""
