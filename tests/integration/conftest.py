"""The Compose stack and the embedded index, for every test here."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.stack import Stack, running_stack
from integration.vector_index import Index, fresh, running_index
from pgloader import LoaderSettings


@pytest.fixture(scope="session")
def stack(root: Path, request: pytest.FixtureRequest) -> Stack:
    return running_stack(root, request.config)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """An embedded database with pgvector, for the tests of a file."""
    with running_index(tmp_path_factory.mktemp("clone")) as found:
        yield found


@pytest.fixture
def settings() -> LoaderSettings:
    """A relation that no other test has."""
    return fresh()
