"""How good detections are: average precision against ground truth. NumPy only."""
