"""The vector index: what it is made from, what it means now, what it finds, and how well."""
