"""Rebuild the objects that a remote has lost."""
