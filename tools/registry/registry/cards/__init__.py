"""What is written about a dataset for others: the card of its README, and its croissant.json."""
