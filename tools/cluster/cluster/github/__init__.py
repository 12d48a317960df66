"""What GitHub Actions runs: workflows, submitted and followed until they end; and the review of a branch."""
