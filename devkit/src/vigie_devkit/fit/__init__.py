"""What a box can carry: cost per frame, measured here, against the frames that are wanted."""
