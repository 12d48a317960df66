"""What the tests of releases share: how one is made, and how a refusal is looked at."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import git
from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.releases.versions import Version
from data_registry.stage.errors import StageError
from data_registry.store.objects import find_faults
from data_registry.store.remote import open_store
from registry.datasets import Dataset, find_datasets
from registry.release.release import Released, release

V1 = Version(1, 0, 0)


def dataset(clone: Path, name: str = "greetings") -> Dataset:
    return find_datasets(clone, name)[0]


def make(clone: Path, version: str = "", name: str = "greetings", **more: object) -> Released:
    return release(dataset(clone, name), clone, "local", version, **more)  # type: ignore[arg-type]  # of a test


def refused(code: int, message: str, call: Callable[[], object]) -> str:
    with pytest.raises(StageError) as caught:
        call()
    assert caught.value.code == code and message in str(caught.value), str(caught.value)
    return str(caught.value)


def check_whole(world: Path, name: str = "greetings", version: Version = V1, origin: str = "origin.git") -> None:
    """A new clone finds the release and every byte of it."""
    fresh = world / f"fresh-{os.urandom(4).hex()}"
    git(world, "clone", "-q", origin, fresh.name)
    found = Release(Git(fresh), name, version)
    assert find_faults(found, open_store(Git(fresh), found.tag, "local")) == []
    assert git(fresh, "cat-file", "-t", f"refs/tags/{found.tag}").strip() == "tag"


def hook(repository: Path, name: str, text: str) -> Path:
    """Write a hook into a repository's own folder."""
    path = repository / "hooks" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
