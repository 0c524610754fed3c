"""What a profile will cost before any of it is spent: tokens, FLOPs, hours, labels, disk. No model is opened."""
