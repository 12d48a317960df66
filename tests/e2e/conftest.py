"""A world in which the samples of all datasets are released, that of make demo: it takes a minute, and is shared."""

import dataclasses
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import alone, environ, make_clone
from launcher.pythons import NotAtHand
from launcher.toolbox import find_tools
from launcher.virtualenvs import virtualenv
from registry.datasets import find_datasets


@dataclasses.dataclass(frozen=True)
class Demo:
    """What make demo printed, and where; whoever looks at it leaves its files as they are."""

    clone: Path
    told: str  # stderr
    said: str  # stdout

    @property
    def site(self) -> Path:
        return self.clone / ".demo" / "repo" / "site"


@pytest.fixture(scope="session")
def demo(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # of one run, whichever of its processes
    clone, told, said = (shared / f"demo{suffix}" for suffix in ("", ".stderr", ".stdout"))
    with alone("demo"):
        if not said.exists():
            make_clone(root, clone)
            made = subprocess.run(["make", "demo"], cwd=clone, env=environ(root), text=True, capture_output=True)
            assert made.returncode == 0, made.stderr
            told.write_text(made.stderr)
            said.write_text(made.stdout)
    return Demo(clone, told.read_text(), said.read_text())


@pytest.fixture(scope="session")
def released(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The clone in which every sample is released as 1.0.0, and one of them again."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield demo.clone / ".demo" / "repo"


@pytest.fixture(scope="session")
def names(root: Path) -> list[str]:
    """The datasets that are released: the embeddings are among them where torch's CPU build is at hand."""
    try:
        can_embed = virtualenv(find_tools(root)["chunk-embed"], root).exists()
    except NotAtHand:
        can_embed = False
    return [each.name for each in find_datasets(root, "all") if can_embed or not each.parent]
