"""The whole journey on sample data, as ``make demo`` shows it."""

import csv
import filecmp
import os
import shlex
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from data_registry.stage.errors import InputMissing, VerificationFailed
from data_registry.training.selection import TRAINING
from launcher.toolbox import find_tools

from registry.build import upstream
from registry.build.scratch import WORLD, commit, make_scratch, run_in
from registry.datasets import find_datasets
from registry.services.tracking import SETTINGS, embedded_uri

FIRST, SECOND = "1.0.0", "1.1.0"
DATASET, TRAINED_ON, MODEL = "emotion", "wine-quality", "wine-regressor/1"
SCRIPT = Path("tools", "registry", "examples", "train_wine.py")
QUESTION = "what happens when a download is interrupted?"


def demo(root: Path) -> str:
    """Show every sample built, released, got back, changed, trained on and searched; return where to look.

    Raises VerificationFailed where a consumer gets other bytes, CalledProcessError where a command fails.
    """
    started = time.monotonic()
    os.environ["RUNTIME"] = "host"  # the demo needs no Docker, and shows the same with and without
    has_index = _make_environments(root)
    steps = _steps(root, has_index)
    for number, (title, step) in enumerate(steps, 1):
        click.secho(f"\n[{number}/{len(steps)}] {title}", bold=True, err=True)
        begun = time.monotonic()
        step()
        click.secho(f"({time.monotonic() - begun:.1f} s)", dim=True, err=True)
    return _closing(_Clone(root).folder / "site" / "index.html", time.monotonic() - started)


class _Clone:
    """The scratch clone, and what is done in it."""

    def __init__(self, root: Path) -> None:
        world = root / WORLD
        self.folder = world / "repo"
        self.consumer = world / "consumer"
        # As a URL: DVC would take a path inside this repository for the repository itself.
        self.origin = (world / "origin.git").as_uri()

    def make(self, *targets: str) -> None:
        """Run make with each of the targets and its variables, as a person would."""
        for target in targets:
            _show(self.folder, "make", *shlex.split(target))

    def release(self, with_index: bool) -> None:
        commit(self.folder, "Sample data")
        self.make("bootstrap" + " WITH_EMBEDDINGS=1" * with_index)

    def get(self, names: list[str]) -> None:
        """Get releases into folders of their own, and compare every file with what was built."""
        for name in names:
            self.make(f"get DS={name} VERSION={FIRST} OUT=../consumer/{name}")
            for file in (self.consumer / name).rglob("*"):
                if file.is_file():
                    _compare(file, self.folder / "data" / name / file.relative_to(self.consumer / name))

    def dvc_get(self) -> None:
        (dataset,) = find_datasets(self.folder, DATASET)
        made = next(path for path in dataset.outputs() if "processed" in path.parts)
        path, tag = str(made.relative_to(self.folder)), f"{DATASET}-v{FIRST}"
        _show(self.consumer, "dvc", "get", "--quiet", self.origin, path, "--rev", tag)
        _compare(self.consumer / made.name, made)
        click.echo(f"{made.name}: the bytes that were released", err=True)

    def correct(self) -> None:
        (dataset,) = find_datasets(self.folder, DATASET)
        upstream.correct(dataset.folder)
        self.make(f"dataset DS={DATASET}", f"release DS={DATASET} BUMP=auto")

    def train(self) -> None:
        packages = find_tools(self.folder)["registry"].packages
        _show(
            self.consumer,
            "python",
            os.path.relpath(self.folder / SCRIPT, self.consumer),
            **SETTINGS,
            PYTHONPATH=os.pathsep.join(map(str, packages)),
            DVC_REPO=self.origin,
            MLFLOW_TRACKING_URI=embedded_uri(self.folder),
            XDG_CACHE_HOME=str(self.consumer / "cache"),
        )

    def explain(self) -> None:
        samples = self.folder / ".local" / "samples.csv"
        self.make(f"explain MODEL={MODEL} IDS={samples.relative_to(self.folder)}")
        with samples.open(encoding="utf-8", newline="") as file:
            given = next(row["sample_id"] for row in csv.DictReader(file) if row["context"] == TRAINING)
        self.make(f"whohas SAMPLE={given}", f"whohas SAMPLE={shlex.quote(upstream.WITHDRAWN)}")


def _steps(root: Path, has_index: bool) -> list[tuple[str, Callable[[], object]]]:
    clone = _Clone(root)
    datasets = find_datasets(root, "all")
    names = [each.name for each in datasets if each.sample_sources.exists()]
    indexes = [each.name for each in datasets if each.parent] if has_index else []
    return [
        (
            "Copy the repository to .demo/repo, with synthetic samples for data",
            partial(make_scratch, root, root / WORLD),
        ),
        (f"Build a dataset, {DATASET}: fetch, process, measure", partial(clone.make, f"dataset DS={DATASET}")),
        ("Build it again: nothing has changed, nothing is done", partial(clone.make, f"dataset DS={DATASET}")),
        ("Build the others", partial(clone.make, "dataset DS=all")),
        ("Release all: push, read back, commit and tag, or nothing", partial(clone.release, has_index)),
        ("Get every release, each byte verified, as its users do", partial(clone.get, names + indexes)),
        (f"Get a file of {DATASET} with plain DVC, as others do", clone.dvc_get),
        (f"Upstream corrects and withdraws samples of {DATASET}: release that", clone.correct),
        ("See what has changed, to the row", partial(clone.make, f"diff DS={DATASET} A={FIRST} B={SECOND}")),
        (f"Train a model on {TRAINED_ON}, as its users do", clone.train),
        ("Ask what it was trained on, and who has a sample", clone.explain),
        *(
            (
                "Let readers see the vector index, and search it",
                partial(clone.make, f"switch DS={each}", f"search DS={each} Q={shlex.quote(QUESTION)} LIMIT=2"),
            )
            for each in indexes
        ),
        ("Write the catalogue of all this, a web site", partial(clone.make, "catalog")),
    ]


def _closing(page: Path, seconds: float) -> str:
    return f"""
Done in {seconds:.0f} s, all of it in .demo/. Now look at the catalogue, in a browser:

  {page.as_uri()}
  make catalog-serve       the same at http://127.0.0.1:8080/

The commands on its pages work in its clone: cd .demo/repo

Next, with real data: make dataset DS={TRAINED_ON}"""


def _make_environments(root: Path) -> bool:
    """Make the tools' environments, and say whether the vector index can be had.

    Where torch's CPU build is not at hand, chunk-embed says so itself.
    """
    has_index = True
    for name in find_tools(root):
        command = [str(root / "tools" / "run"), name, "--help"]
        ended = subprocess.run(command, stdout=subprocess.DEVNULL)
        if name == "chunk-embed" and ended.returncode == InputMissing.code:
            click.secho("The vector index is left out of this demo: see the line above.", err=True)
            has_index = False
        else:
            ended.check_returncode()
    return has_index


def _compare(got: Path, made: Path) -> None:
    if not filecmp.cmp(got, made, shallow=False):
        raise VerificationFailed(got, "other bytes than were released", "report this as a bug")


def _show(folder: Path, *command: str, **variables: str) -> None:
    click.secho(f"$ {shlex.join(command)}", dim=True, err=True)
    run_in(folder, *command, **variables)
