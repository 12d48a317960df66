"""Cut documents into chunks, and embed them."""
