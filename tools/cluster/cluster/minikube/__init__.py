"""A cluster of one's own: installed, its services reached, tested end to end."""
