"""Whether what the cameras show is still what the model was taken into service for: scores and classes over time."""
