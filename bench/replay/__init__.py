"""What cache policies would have kept: recorded reads replayed, without any server, at several sizes."""
