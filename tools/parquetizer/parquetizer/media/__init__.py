"""Images and audio: files decoded completely, and never changed unless asked for."""
