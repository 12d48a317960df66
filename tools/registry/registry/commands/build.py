"""The commands that build datasets, move their data, and build the tools' images."""

import logging
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
from data_registry.clone import repository
from data_registry.git import Git
from data_registry.stage.errors import ChildFailed, NetworkFailed
from data_registry.stage.options import talk
from launcher.containers import engine_answers
from launcher.images import read_images, refresh_images
from launcher.toolbox import find_tools

from registry.batches import Failures
from registry.build.images import build_images
from registry.build.new import make_dataset_folder
from registry.build.pipeline import reproduce
from registry.build.refresh import has_upstream
from registry.build.refresh import refresh as refresh_sources
from registry.build.scratch import SAMPLE, make_scratch, run_in
from registry.build.summary import summary
from registry.datasets import Dataset, find_datasets, waiting_for
from registry.options import DATASET, REMOTE, option, require
from registry.transfer import remotes

log = logging.getLogger(__name__)

SOURCES = """upstream: the files of sources.csv; sample: the bundled synthetic sample, in .demo/sample/; auto: upstream,
or the sample if no source answers."""


def _for_each(name: str, work: Callable[[Dataset, Path], str]) -> None:
    """Print what ``work`` returns for a dataset, or for each of all; the failure of one does not stop the others."""
    root, failures = repository(), Failures()
    for dataset in find_datasets(root, name):
        with failures.collected(dataset.name * (name == "all")):
            click.echo(work(dataset, root))
    failures.end()


@click.command()
@DATASET
@option("--source", "SOURCE", SOURCES, "auto", type=click.Choice(["auto", "upstream", "sample"]))
@talk
def dataset(name: str, source: str) -> None:
    """Build DATASET, or all: fetch, process and measure whatever has changed.

    Example: make dataset DS=wine-quality
    """
    from registry.cards.card import write_card  # lazy: loads pyarrow
    from registry.cards.description import read_card

    root = repository()
    for tool, image in refresh_images(root).items():
        log.info("%s has changed: now %s", tool, image)
    samples, failures = [], Failures()
    for dataset in find_datasets(root, name):
        with failures.collected(dataset.name * (name == "all")):
            if name == "all" and (tag := waiting_for(dataset, Git(root))):
                skipped = (dataset.name, tag, dataset.name)
                log.info("%s: skipped, %s is not released; make release, then make dataset DS=%s", *skipped)
                continue
            if source == "sample":
                samples.append(dataset)
                continue
            read_card(dataset)  # before the build, at whose end the card is written
            try:
                stages = reproduce(dataset, root)
            except ChildFailed as error:
                if error.code != NetworkFailed.code or source == "upstream" or not dataset.sample_sources.exists():
                    raise
                log.warning("No source of %s answered; data/%s is unchanged.", dataset.name, dataset.name)
                log.warning("Building its SYNTHETIC sample in .demo/sample/ instead (SOURCE=upstream: exit 12).")
                samples.append(dataset)
            else:
                write_card(dataset)
                click.echo(summary(dataset, stages, root))
    if samples:
        clone = make_scratch(root, root / SAMPLE)
        for dataset in samples:
            with failures.collected(dataset.name * (name == "all")):
                try:
                    run_in(clone, "tools/run", "registry", "dataset", dataset.name)
                except subprocess.CalledProcessError as error:
                    raise ChildFailed(dataset.name, "a stage", error.returncode) from error
        log.info("The samples are in %s; run make there to use them.", clone.relative_to(root))
    failures.end()


@click.command()
@DATASET
@option("--kind", "KIND", "Kind of the data.", "table")
@talk
def new(name: str, kind: str) -> None:
    """Create the folder of a new DATASET, with synthetic data to start from.

    Kinds: table (CSV), idx (images as MNIST has them), text (labelled), conversations (captioned images), documents
    (Markdown), index (a vector index of a release of documents).

    Example: make new DS=my-data KIND=table
    """
    require("make new DS=my-data KIND=table", DS=name)
    root = repository()
    folder = make_dataset_folder(root, name, kind).relative_to(root)
    click.echo(f"{folder}: created. Next: make dataset DS={name}, then edit {folder}/params.yaml")


@click.command()
@DATASET
@talk
def refresh(name: str) -> None:
    """Write the current files of the upstream of DATASET, or all, into sources.csv, for review.

    Example: make refresh DS=emotion
    """

    def refreshed(dataset: Dataset, root: Path) -> str:
        skipped = name == "all" and not has_upstream(dataset)
        return f"{dataset.name}: no upstream in params.yaml" if skipped else refresh_sources(dataset, root)

    _for_each(name, refreshed)


@click.command()
@click.argument("name", metavar="[DATASET]", envvar="DS", default="all")
@talk
def cards(name: str) -> None:
    """Write the generated front matter of the README of DATASET, or all, from params.yaml and metadata.json.

    Builds and releases do it too. The rest of the README is never changed.

    Example: make cards DS=emotion
    """
    from registry.cards.card import write_card  # lazy: loads pyarrow

    _for_each(
        name, lambda dataset, _: f"{dataset.name}: README.md {'updated' if write_card(dataset) else 'is current'}"
    )


@click.command()
@DATASET
@REMOTE
@talk
def push(name: str, remote: str) -> None:
    """Send the data of DATASET, or all, to the remote, and check that every object is there.

    Example: ENV=docker make push DS=wine-quality
    """

    def pushed(dataset: Dataset, root: Path) -> str:
        done = remotes.push(dataset, root, remote)
        return f"{dataset.name}: {done.objects} of {done.objects} objects on {remote}, {done.moved} sent"

    _for_each(name, pushed)


@click.command()
@DATASET
@REMOTE
@talk
def pull(name: str, remote: str) -> None:
    """Fetch the data of DATASET, or all, from the remote, and verify every byte.

    Example: ENV=docker make pull DS=wine-quality
    """

    def pulled(dataset: Dataset, root: Path) -> str:
        done = remotes.pull(dataset, root, remote)
        return f"{dataset.name}: {done.objects} of {done.objects} objects verified, {done.moved} fetched"

    _for_each(name, pulled)


@click.command()
@click.option("--no-build", is_flag=True, help="Only write data/images.yaml.")
@talk
def images(no_build: bool) -> None:
    """Write data/images.yaml, and build the container images that it names.

    Without a Docker engine no image is built.

    Example: make images
    """
    root = repository()
    refresh_images(root)
    if no_build:
        return
    if not engine_answers():
        log.warning("No Docker engine is running: data/images.yaml is current, no image was built.")
        return
    names = {**read_images(root), "cluster": find_tools(root)["cluster"].image()}
    log.info("building %s; the first build takes minutes", ", ".join(names.values()))
    build_images(root, names)
    click.echo("\n".join(names.values()))
