"""The demo in a scratch clone."""
