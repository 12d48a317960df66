"""The kinds of data, each a command: from raw files to outputs and their manifest."""
