"""Which samples are in which release and model: recorded, compared, found again."""
