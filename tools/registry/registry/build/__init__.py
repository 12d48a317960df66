"""Build datasets with DVC."""
