"""What tests of tools/run start from."""

from pathlib import Path

import pytest
from unit.run.probe import make_tree


@pytest.fixture
def tree(root: Path, tmp_path: Path) -> Path:
    """A repository with one tool, ``probe``."""
    return make_tree(root, tmp_path / "tree")
