"""Releases: the tags of a clone or of a repository elsewhere, and what is in them."""
