"""Convert raw files into training-ready ones, with a manifest of all samples."""
