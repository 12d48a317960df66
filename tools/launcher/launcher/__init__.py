"""How a tool runs: in its container or its own environment. Standard library only."""
