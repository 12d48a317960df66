"""Build, release, verify and explain datasets with git and DVC."""
