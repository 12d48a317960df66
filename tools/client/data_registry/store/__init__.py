"""Remotes: reading their objects, verified, and getting the data of a release."""
