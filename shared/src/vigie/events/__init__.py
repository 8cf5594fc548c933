"""Rules: detections with tracks in, events out. Pure: time comes with the detections, nothing is kept on disk."""
