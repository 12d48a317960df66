"""The whole journey on sample data, as ``make demo`` shows it."""

import filecmp
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from stage.errors import VerificationFailed

from registry.datasets import find_datasets
from registry.scratch import commit, make_scratch, run_in

BESIDE = ("samples.parquet", "metadata.json", "process_stats.json")  # outputs that are not the data itself


def demo(root: Path) -> str:
    """Build every sample in a scratch copy, push it, and get it back as a consumer; return the closing line.

    Raises VerificationFailed where the consumer gets other bytes.
    """
    started = time.monotonic()
    os.environ["RUNTIME"] = "host"  # the demo needs no Docker, and shows the same with and without
    clone = root / ".demo" / "repo"
    samples = [dataset for dataset in find_datasets(root, "all") if dataset.sample_sources.exists()]
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
        ("Push the data to a folder remote, and the rest to a git origin", partial(_publish, clone)),
        *((f"Get {each.name} elsewhere, as a consumer does", partial(_get, clone, each.name)) for each in samples),
    ]
    for number, (title, step) in enumerate(steps, 1):
        click.secho(f"\n[{number}/{len(steps)}] {title}", bold=True, err=True)
        step()
    return f"\nDone in {time.monotonic() - started:.0f} s, all of it in .demo/. Next: make dataset DS={samples[0].name}"


def _publish(clone: Path) -> None:
    _show(clone, "dvc", "push", "--quiet")
    commit(clone, "Sample data")


def _get(clone: Path, name: str) -> None:
    (dataset,) = find_datasets(clone, name)
    made = [path for path in dataset.outputs() if path.name not in BESIDE][-1]
    path = made.relative_to(clone)
    got = clone.parent / "consumer" / name
    got.mkdir(parents=True, exist_ok=True)
    # As a URL: DVC would take a path inside this repository for the repository itself.
    _show(got, "dvc", "get", "--quiet", (clone.parent / "origin.git").as_uri(), str(path), "-o", path.name)
    files = [file for file in (made, *made.rglob("*")) if file.is_file()]
    for file in files:
        if not filecmp.cmp(file, got / file.relative_to(made.parent), shallow=False):
            raise VerificationFailed(got / file.name, "other bytes than were released", "report this as a bug")
    click.echo(
        f"same bytes: {path.name} ({len(files)} files)" if made.is_dir() else f"same bytes: {path.name}", err=True
    )


def _show(folder: Path, *command: str) -> None:
    click.secho(f"$ {' '.join(command)}", dim=True, err=True)
    run_in(folder, *command)
