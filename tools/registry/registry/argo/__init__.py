"""Workflows of Argo: generated from the stages of a dataset, and the steps that are the registry's own."""
