"""The steps of a workflow that are this tool: plan, clean, publish, report."""
