"""cluster review: what a branch changes in the data, without a remote."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from unit.registry.releases_fixture import IDENTITY, Registry, make_registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A clone on a branch, whose remote is gone."""
    registry = make_registry(tmp_path / "clone")
    shutil.rmtree(registry.remote)
    registry.git("checkout", "-q", "-b", "branch")
    return registry


def commit(registry: Registry, path: str, text: str) -> None:
    (registry.root / path).parent.mkdir(exist_ok=True)
    (registry.root / path).write_text(text)
    registry.git("add", path)
    registry.git("commit", "-q", "-m", path, **IDENTITY)


def review(registry: Registry, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("cluster")), "review", *arguments]
    environ = {**os.environ, "REGISTRY_ROOT": str(registry.root), **variables}
    return subprocess.run(command, cwd=registry.root, env=environ, text=True, capture_output=True)


def test_a_changed_dataset_is_compared_with_its_release(registry: Registry, tmp_path: Path) -> None:
    commit(registry, "data/letters/params.yaml", "seed: 2\n")
    summary = tmp_path / "summary.md"
    done = review(registry, "--base", "main", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "### letters 1.0.0 -> this branch"
    assert {"| before | 40 |", "| after | 40 |", "| added | 40 |", "| removed | 40 |"} <= set(lines)
    assert "pictures" not in done.stdout and summary.read_text() == done.stdout
    assert list((registry.root / ".local" / "scratch").iterdir()) == []


def test_nothing_changed_is_said(registry: Registry) -> None:
    commit(registry, "data/images.yaml", "images:\n")
    done = review(registry, "--base", "main")
    assert (done.returncode, done.stdout) == (0, "No dataset with sources has changed.\n\n")


def test_a_dataset_that_fails_does_not_keep_others_from_being_compared(registry: Registry) -> None:
    commit(registry, "data/letters/params.yaml", "seeds: 2\n")
    commit(registry, "data/pictures/params.yaml", "seed: 3\n")
    done = review(registry, "--base", "main")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "error: letters: build failed with exit 1 (1 in all); fix: see its error line above"
    )
    assert "### letters\n\nThe comparison failed" in done.stdout
    assert "### pictures 1.0.0 -> this branch" in done.stdout


def test_a_new_dataset_has_nothing_to_be_compared_with(registry: Registry) -> None:
    registry.git("tag", "-d", "letters-v1.0.0")
    commit(registry, "data/letters/params.yaml", "seed: 2\n")
    done = review(registry, "--base", "main")
    assert done.returncode == 0 and "there is no release to compare it with yet" in done.stdout, done.stderr


@pytest.mark.parametrize("base", ["nothing", "--help", "$(touch pwn)"])
def test_a_base_that_is_none_is_refused(registry: Registry, base: str) -> None:
    done = review(registry, BASE=base)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"error: git: unknown commit: '{base}'; fix: fetch the whole history\n"
