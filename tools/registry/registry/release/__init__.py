"""Release a version: check, upload, tag, push."""
