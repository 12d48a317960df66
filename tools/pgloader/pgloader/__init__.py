"""Load embeddings into PostgreSQL as a version of its own, and switch between versions."""
