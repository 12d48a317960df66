"""Workflow templates, and the steps plan and publish."""
