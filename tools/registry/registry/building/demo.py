"""The whole journey on sample data, as ``make demo`` shows it."""

import filecmp
import os
import shlex
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from stage.errors import InputMissing, VerificationFailed

from registry.building.scratch import commit, make_scratch, run_in
from registry.datasets import find_datasets

QUESTION = "what happens when a download is interrupted?"


def demo(root: Path) -> str:
    """Build every sample in a scratch copy, release it, and get it back as a consumer; return the closing line.

    Raises VerificationFailed where the consumer gets other bytes.
    """
    started = time.monotonic()
    os.environ["RUNTIME"] = "host"  # the demo needs no Docker, and shows the same with and without
    clone = root / ".demo" / "repo"
    datasets = find_datasets(root, "all")
    samples = [dataset for dataset in datasets if dataset.sample_sources.exists()]
    indexes = [dataset.name for dataset in datasets if dataset.parent] if _can_embed(root) else []
    bootstrap = ("make", "bootstrap", *("WITH_EMBEDDINGS=1" for _ in indexes[:1]))
    steps: list[tuple[str, Callable[[], object]]] = [
        ("Make a scratch copy of the repository, with sample data", partial(make_scratch, root)),
        *(
            (f"Build {each.name}: fetch, process, analyse", partial(_show, clone, "make", "dataset", f"DS={each.name}"))
            for each in samples
        ),
        (
            f"Build {samples[0].name} again: nothing has changed",
            partial(_show, clone, "make", "dataset", f"DS={samples[0].name}"),
        ),
        ("Commit what was built", partial(commit, clone, "Sample data")),
        ("Release everything: push, read back, tag, in one step", partial(_show, clone, *bootstrap)),
        *(
            (f"Get {name} 1.0.0, verified", partial(_get, clone, name))
            for name in [each.name for each in samples] + indexes
        ),
        (f"Get {samples[0].name} elsewhere with plain DVC, as consumers do", partial(_dvc_get, clone, samples[0].name)),
        *(
            (f"Let readers see the index {name}", partial(_show, clone, "make", "switch", f"DS={name}"))
            for name in indexes
        ),
        *(
            (f"Search {name}", partial(_show, clone, "make", "search", f"DS={name}", f"Q={QUESTION}"))
            for name in indexes
        ),
    ]
    for number, (title, step) in enumerate(steps, 1):
        click.secho(f"\n[{number}/{len(steps)}] {title}", bold=True, err=True)
        step()
    return f"\nDone in {time.monotonic() - started:.0f} s, all of it in .demo/. Next: make dataset DS={samples[0].name}"


def _can_embed(root: Path) -> bool:
    """Say whether chunk-embed can be had; where torch's CPU build is not at hand it says so itself."""
    ended = subprocess.run([root / "tools" / "run", "chunk-embed", "--help"], stdout=subprocess.DEVNULL)
    if ended.returncode == InputMissing.code:
        click.secho("The vector index is left out of this demo: see the line above.", err=True)
    return ended.returncode == 0


def _get(clone: Path, name: str) -> None:
    """Get a release into a folder of its own, and compare every file with what was built."""
    folder = clone.parent / "consumer" / name
    _show(clone, "make", "get", f"DS={name}", "VERSION=1.0.0", f"OUT={folder}")
    files = [path for path in folder.rglob("*") if path.is_file()]
    for file in files:
        _compare(file, clone / "data" / name / file.relative_to(folder))
    click.echo(f"same bytes: {len(files)} files of {name}", err=True)


def _dvc_get(clone: Path, name: str) -> None:
    (dataset,) = find_datasets(clone, name)
    made = next(path for path in dataset.outputs() if "processed" in path.parts)
    folder = clone.parent / "consumer"
    # As a URL: DVC would take a path inside this repository for the repository itself.
    origin = (clone.parent / "origin.git").as_uri()
    _show(folder, "dvc", "get", "--quiet", origin, str(made.relative_to(clone)), "--rev", f"{name}-v1.0.0")
    _compare(folder / made.name, made)
    click.echo(f"same bytes: {made.name}", err=True)


def _compare(got: Path, made: Path) -> None:
    if not filecmp.cmp(got, made, shallow=False):
        raise VerificationFailed(got, "other bytes than were released", "report this as a bug")


def _show(folder: Path, *command: str) -> None:
    click.secho(f"$ {shlex.join(command)}", dim=True, err=True)
    run_in(folder, *command)
