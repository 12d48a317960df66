"""Releases as git has them: made, named, found."""
