"""Datasets built and released by Argo Workflows."""
