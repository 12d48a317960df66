"""Check what this machine has and needs."""
