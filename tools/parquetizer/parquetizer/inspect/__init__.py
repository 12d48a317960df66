"""Proposals for params.yaml: what raw files hold, by reading all of them."""
