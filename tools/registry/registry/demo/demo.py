"""Every step on sample data: build, release, get, change, train, search, catalogue."""

import csv
import filecmp
import hashlib
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

from registry.build.scratch import WORLD, commit, make_scratch, run_in
from registry.datasets import find_datasets
from registry.services.tracking import SETTINGS, embedded_uri

FIRST, SECOND = "1.0.0", "1.1.0"
DATASET, TRAINED_ON, MODEL = "emotion", "wine-quality", "wine-regressor/1"
SCRIPT = Path("tools", "client", "examples", "train_wine.py")
QUESTION = "what happens when a download is interrupted?"
# The next release of emotion: two labels corrected, a text withdrawn by its author, and two added.
TEXTS = "train.txt"
CORRECTED = {
    "our neighbour feels shaky near the storm;fear": "our neighbour feels shaky near the storm;surprise",
    "my sister feels tender towards the ladder;love": "my sister feels tender towards the ladder;joy",
}
WITHDRAWN = "the new teacher feels hopeless about the night train"
ADDED = ("the baker feels proud of the lighthouse;joy", "the baker feels uneasy about the fog;fear")

CLOSING = f"""
Done in {{seconds:.0f}} s; everything is in .demo/. Open the catalogue in a browser:

  {{page}}

or run make catalog-serve and open http://127.0.0.1:8080/.
The commands on its pages work in .demo/repo.

Next, with real data: make dataset DS={TRAINED_ON}"""


def demo(root: Path) -> str:
    """Build, release, get, change and search the samples, and train on them; return the closing message.

    Raises VerificationFailed where a consumer gets other bytes, CalledProcessError where a command fails.
    """
    started = time.monotonic()
    os.environ["RUNTIME"] = "host"  # the outputs are the same with Docker
    has_index = _make_environments(root)
    steps = _steps(root, has_index)
    for number, (title, step) in enumerate(steps, 1):
        click.secho(f"\n[{number}/{len(steps)}] {title}", bold=True, err=True)
        step_started = time.monotonic()
        step()
        click.secho(f"({time.monotonic() - step_started:.1f} s)", dim=True, err=True)
    page = (root / WORLD / "repo" / "site" / "index.html").as_uri()
    return CLOSING.format(seconds=time.monotonic() - started, page=page)


class _Clone:
    """The scratch clone, and the steps that run in it."""

    def __init__(self, world: Path) -> None:
        self.folder = world / "repo"
        self.consumer = world / "consumer"
        # A URL: DVC would take a path inside this repository for this repository.
        self.origin = (world / "origin.git").as_uri()

    def make(self, *targets: str) -> None:
        """Run make with each of the targets and its variables."""
        for target in targets:
            _show(self.folder, "make", *shlex.split(target))

    def release(self, with_index: bool) -> None:
        commit(self.folder, "Sample data")
        self.make("bootstrap" + " WITH_EMBEDDINGS=1" * with_index)

    def get(self, names: list[str]) -> None:
        """Get releases into folders of their own, and compare every file with the build."""
        for name in names:
            self.make(f"get DS={name} VERSION={FIRST} OUT=../consumer/{name}")
            for file in (self.consumer / name).rglob("*"):
                if file.is_file():
                    _compare(file, self.folder / "data" / name / file.relative_to(self.consumer / name))

    def dvc_get(self) -> None:
        (dataset,) = find_datasets(self.folder, DATASET)
        built = next(path for path in dataset.outputs() if "processed" in path.parts)
        path, tag = str(built.relative_to(self.folder)), f"{DATASET}-v{FIRST}"
        _show(self.consumer, "dvc", "get", "--quiet", self.origin, path, "--rev", tag)
        _compare(self.consumer / built.name, built)
        click.echo(f"{built.name}: same bytes as released", err=True)

    def correct(self) -> None:
        """Change the sample of a dataset, pin the new bytes, and release the next version."""
        folder = self.folder / "data" / DATASET
        path = folder / "sample" / TEXTS
        before = path.read_bytes()
        lines = [CORRECTED.get(line, line) for line in before.decode().splitlines()]
        remaining = [line for line in lines if line.rpartition(";")[0] != WITHDRAWN]
        after = "".join(f"{line}\n" for line in [*remaining, *ADDED]).encode()
        path.write_bytes(after)
        old, new = (f"{hashlib.sha256(data).hexdigest()},{len(data)}" for data in (before, after))  # of sources.csv
        for pins in (folder / "sources.csv", folder / "sample" / "sources.csv"):
            pins.write_text(pins.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
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
            sample = next(row["sample_id"] for row in csv.DictReader(file) if row["context"] == TRAINING)
        self.make(f"whohas SAMPLE={sample}", f"whohas SAMPLE={shlex.quote(WITHDRAWN)}")

    def search(self, name: str) -> None:
        self.make(f"switch DS={name}", f"search DS={name} Q={shlex.quote(QUESTION)} LIMIT=2")


def _steps(root: Path, has_index: bool) -> list[tuple[str, Callable[[], object]]]:
    world, datasets = root / WORLD, find_datasets(root, "all")
    clone = _Clone(world)
    names = [dataset.name for dataset in datasets if dataset.sample_sources.exists()]
    indexes = [dataset.name for dataset in datasets if dataset.parent] if has_index else []
    return [
        ("Copy the repository to .demo/repo, with synthetic samples as data", partial(make_scratch, root, world)),
        (f"Build a dataset, {DATASET}: fetch, process, measure", partial(clone.make, f"dataset DS={DATASET}")),
        ("Build it again: nothing has changed, so nothing runs", partial(clone.make, f"dataset DS={DATASET}")),
        ("Build the others", partial(clone.make, "dataset DS=all")),
        ("Release all of them: push, read back, commit and tag", partial(clone.release, has_index)),
        ("Get every release, with every byte verified", partial(clone.get, names + indexes)),
        (f"Get a file of {DATASET} with plain DVC", clone.dvc_get),
        (f"Release a new version of {DATASET}, with labels corrected and a text withdrawn", clone.correct),
        ("Compare the two versions, row by row", partial(clone.make, f"diff DS={DATASET} A={FIRST} B={SECOND}")),
        (f"Train a model on {TRAINED_ON}", clone.train),
        ("Find out what it was trained on, and which releases and models have a sample", clone.explain),
        *(("Point readers at the vector index, and search it", partial(clone.search, name)) for name in indexes),
        ("Write the catalogue of all datasets, a web site", partial(clone.make, "catalog")),
    ]


def _make_environments(root: Path) -> bool:
    """Make the environments of the tools that the demo runs; return whether that of chunk-embed could be made.

    Each prints first what it downloads; and chunk-embed, where it cannot be made, the reason.
    """
    has_index = True
    for name in find_tools(root):
        if name == "cluster" or (name == "pgloader" and not has_index):
            continue
        command = [str(root / "tools" / "run"), name, "--help"]
        ended = subprocess.run(command, stdout=subprocess.DEVNULL)
        if name == "chunk-embed" and ended.returncode == InputMissing.code:
            click.secho("The demo leaves the vector index out: see the line above.", err=True)
            has_index = False
        else:
            ended.check_returncode()
    return has_index


def _compare(file: Path, built: Path) -> None:
    if not filecmp.cmp(file, built, shallow=False):
        raise VerificationFailed(file, "differs from the released file", "report this as a bug")


def _show(folder: Path, *command: str, **variables: str) -> None:
    click.secho(f"$ {shlex.join(command)}", dim=True, err=True)
    run_in(folder, *command, **variables)
