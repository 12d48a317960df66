"""WorkflowTemplates, generated from the stages that DVC resolves."""
