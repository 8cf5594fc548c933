"""Vigie inference module: runs the model, decodes and filters detections."""
