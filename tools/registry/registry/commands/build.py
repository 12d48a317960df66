"""The commands that build datasets, move their data, and build the tools' images."""

import logging
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
from data_registry.clone import repository
from data_registry.git import Git
from data_registry.stage.errors import ChildFailed, NetworkFailed, UsageError
from launcher.containers import engine_answers
from launcher.images import read_images, refresh_images
from launcher.toolbox import find_tools

from registry.batches import Failures
from registry.build.images import build_images
from registry.build.new import left_to_fill_in, make_dataset_folder
from registry.build.new_from import make_dataset_from
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
@REMOTE
def dataset(name: str, source: str, remote: str) -> None:
    """Build DATASET, or all: fetch, process and measure whatever has changed.

    Files that no source sends any more are taken from the remote, if it has them.

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
                stages = reproduce(dataset, root, remote)
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
@option("--from source", "FROM", "Where the data is: a path, https://..., hf:owner/name, or s3://bucket/folder/.")
@option("--kind", "KIND", "Kind of the data, without FROM.", "table")
@click.pass_context
def new(context: click.Context, name: str, source: str, kind: str) -> None:
    """Create the folder of a new DATASET from data, or of a kind, with synthetic data to start from.

    With FROM, all of the data is read: format, columns, types, labels, splits and key are guessed and written into
    params.yaml, each with its reason, and the dataset is built. Local files are stored with the dataset.

    Kinds: table (CSV), idx (images as MNIST has them), text (labelled), conversations (captioned images), documents
    (Markdown), index (a vector index of a release of documents).

    Example: make new DS=reviews FROM=~/reviews.csv
    """
    require("make new DS=reviews FROM=reviews.csv", DS=name)
    root = repository()
    if not source:
        folder = make_dataset_folder(root, name, kind).relative_to(root)
        click.echo(f"{folder}: created. Next: make dataset DS={name}, then edit {folder}/params.yaml")
        return
    if context.get_parameter_source("kind") != click.core.ParameterSource.DEFAULT:
        raise UsageError("KIND", "given together with FROM", "leave it out: the kind is guessed from the data")
    from registry.cards.card import write_card  # lazy: loads pyarrow

    refresh_images(root)
    dataset = make_dataset_from(root, name, source)
    folder = dataset.folder.relative_to(root)
    log.info("%s: created, and guessed what it is in params.yaml; building it", folder)
    stages = reproduce(dataset, root)
    write_card(dataset)
    click.echo(summary(dataset, stages, root))
    click.echo(f"Check the guesses in {folder}/params.yaml. To fill in before a release: {left_to_fill_in(dataset)}")


@click.command()
@DATASET
@option("--from path", "FROM", "File or folder of a dataset whose files have no public address.")
def refresh(name: str, path: str) -> None:
    """Write the current files of the upstream of DATASET, or all, into sources.csv, for review.

    Example: make refresh DS=emotion
    """
    if path:
        require("make refresh DS=my-data FROM=~/my-data", DS=name != "all" and name)

    def refreshed(dataset: Dataset, root: Path) -> str:
        skipped = name == "all" and not has_upstream(dataset)
        return f"{dataset.name}: no upstream in params.yaml" if skipped else refresh_sources(dataset, root, path)

    _for_each(name, refreshed)


@click.command()
@click.argument("name", metavar="[DATASET]", envvar="DS", default="all")
def cards(name: str) -> None:
    """Write the generated front matter of the README of DATASET, or all, from params.yaml and metadata.json.

    Builds and releases do it too. The rest of the README is never changed.

    Example: make cards DS=emotion
    """
    from registry.cards.card import write_card  # lazy: loads pyarrow

    _for_each(name, lambda one, _: f"{one.name}: README.md {'updated' if write_card(one) else 'is current'}")


@click.command()
@DATASET
@REMOTE
def push(name: str, remote: str) -> None:
    """Send the data of DATASET, or all, to the remote, and check that every object is there.

    Example: ENV=docker make push DS=wine-quality
    """
    _for_each(name, lambda dataset, root: str(remotes.push(dataset, root, remote)))


@click.command()
@DATASET
@REMOTE
def pull(name: str, remote: str) -> None:
    """Fetch the data of DATASET, or all, from the remote, and verify every byte.

    Example: ENV=docker make pull DS=wine-quality
    """
    _for_each(name, lambda dataset, root: str(remotes.pull(dataset, root, remote)))


@click.command()
@click.option("--no-build", is_flag=True, help="Only write data/images.yaml.")
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
