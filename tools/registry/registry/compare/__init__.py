"""Compare two versions of a dataset."""
