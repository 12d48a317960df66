"""Raw files as bytes: opened, decoded, recognised."""
