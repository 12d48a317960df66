"""A world in which the samples of all datasets are released: making it takes a minute, so that tests share it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import alone, make_clone
from registry.building.scratch import commit, make_scratch, run_in
from registry.datasets import find_datasets
from registry.runtime.toolbox import find_tools
from registry.runtime.virtualenvs import NotAtHand, virtualenv


@pytest.fixture(scope="session")
def can_embed(root: Path) -> bool:
    """Whether the embeddings are among them: chunk-embed needs torch's CPU build."""
    try:
        return virtualenv(find_tools(root)["chunk-embed"], root).exists()
    except NotAtHand:
        return False


@pytest.fixture(scope="session")
def released(root: Path, can_embed: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The clone in which they are built and released; whoever uses it leaves its files as they are."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # of one run, whichever of its processes
    world = shared / "released"
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("RUNTIME", "host")
        changed.setenv("XDG_CACHE_HOME", str(shared / "released-cache"))
        with alone("released"):
            if not (world / "done").exists():
                clone = make_scratch(make_clone(root, world))
                run_in(clone, "tools/run", "registry", "dataset", "all")
                commit(clone, "Sample data")
                run_in(clone, "tools/run", "registry", "bootstrap", *["--with-embeddings"] * can_embed)
                (world / "done").touch()
        yield world / ".demo" / "repo"


@pytest.fixture(scope="session")
def names(root: Path, can_embed: bool) -> list[str]:
    """The datasets that are released."""
    return [each.name for each in find_datasets(root, "all") if can_embed or not each.parent]
