"""The objects of releases in a remote: moved, verified, mended."""
