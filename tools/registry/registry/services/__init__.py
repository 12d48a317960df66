"""MLflow and the vector index: embedded ones, their health, prompts."""
