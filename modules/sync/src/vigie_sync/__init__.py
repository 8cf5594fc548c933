"""Vigie sync module: commits detections to a ledger and sends them upstream."""
