"""The Compose stack, for every test here."""

from pathlib import Path

import pytest
from integration.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(root: Path, request: pytest.FixtureRequest) -> Stack:
    return running_stack(root, request.config)
