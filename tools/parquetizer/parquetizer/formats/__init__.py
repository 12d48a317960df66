"""The formats of raw files, read as batches of the declared schema."""
