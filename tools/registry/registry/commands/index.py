"""The commands of the vector index."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from data_registry.clone import repository
from data_registry.git import Git
from data_registry.releases.lookup import find_release
from data_registry.stage.options import FILE, talk

from registry.index.running import find_index
from registry.options import REMOTE

F = TypeVar("F", bound=Callable[..., Any])
DATASET = click.argument("name", metavar="[DATASET]", envvar="DS", default="")
JSON = click.option("--json", "as_json", envvar="JSON", show_envvar=True, is_flag=True, help="For programs.")


def version(default: str, text: str) -> Callable[[F], F]:
    """Add --version, as a number, a tag or ``latest``."""
    return click.option("--version", envvar="VERSION", show_envvar=True, default=default, help=text)


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--params", type=FILE, required=True, help="YAML file; its section registry names the release.")
@REMOTE
@talk
def parent(out: Path, params: Path, remote: str) -> None:
    """Put the release that a dataset is made from into the folder OUT, verified: the stage `registry` of a dataset."""
    from registry.index.parent import get_parent

    found = get_parent(params, repository(), remote, out)
    click.echo(json.dumps(dataclasses.asdict(found)))


@click.command()
@DATASET
@version("", "A release, as 1.0.0 or latest.  [default: the working copy]")
@REMOTE
@talk
def load(name: str, version: str, remote: str) -> None:
    """Load a vector index into the database, in a table of its own, where it is not there already.

    Readers see nothing of it before a switch.
    """
    from registry.index.versions import load as library
    from registry.index.versions import load_release

    root = repository()
    dataset = find_index(root, name)
    if version:
        done = load_release(find_release(Git(root), dataset.name, version), root, remote)
    else:
        done = library(dataset, root)
    click.echo(f"{done['table']}: {done['rows']} chunks; readers see it after make switch")


@click.command()
@DATASET
@version("latest", "A release, as 1.0.0.  [default: latest]")
@REMOTE
@talk
def switch(name: str, version: str, remote: str) -> None:
    """Let readers see a release of a vector index, in one step; the one before stays, to go back to."""
    from registry.index.versions import switch as library

    root = repository()
    done = library(find_index(root, name), root, remote, version)
    click.echo(f"{done['relation']}: readers see {done['table']}")


@click.command()
@DATASET
@talk
def rollback(name: str) -> None:
    """Let readers see the version of a vector index that they saw before."""
    from registry.index.versions import rollback as library

    root = repository()
    done = library(find_index(root, name), root)
    click.echo(f"{done['relation']}: readers see {done['table']} again")


@click.command()
@click.argument("question", envvar="Q", default="")
@click.option("--dataset", "name", envvar="DS", show_envvar=True, default="", help="Where there are several indexes.")
@version("", "A release that is loaded.  [default: what readers see]")
@click.option(
    "--mode",
    envvar="MODE",
    show_envvar=True,
    type=click.Choice(["hybrid", "vector", "text"]),
    default="hybrid",
    show_default=True,
    help="By meaning (vector), by words (text), or both.",
)
@click.option("--limit", envvar="LIMIT", show_envvar=True, type=click.IntRange(1, 100), default=5, show_default=True)
@JSON
@talk
def search(question: str, name: str, version: str, mode: str, limit: int, as_json: bool) -> None:
    """Search the vector index for QUESTION."""
    from registry.index.search import as_text, ask, embed
    from registry.index.versions import released_table

    root = repository()
    dataset = find_index(root, name)
    table = released_table(dataset, root, version) if version else "current"
    found = ask(dataset, root, embed(dataset, root, [question]), table, mode=mode, limit=limit)
    if as_json:
        hits = [dataclasses.asdict(hit) for hit in found.hits[0]]
        click.echo(json.dumps({"question": question, "table": found.table, "hits": hits}, ensure_ascii=False))
    else:
        click.echo(as_text(question, found))


@click.command()
@DATASET
@version("", "A release that is loaded.  [default: the working copy, loaded first]")
@JSON
@talk
def evaluate(name: str, version: str, as_json: bool) -> None:
    """Ask a vector index the questions whose answers are known, and measure what it finds, in every way of searching.

    Of the working copy, the figures go to evaluation.json, metadata.json and MLflow.
    """
    from registry.index.evaluate import evaluate as library
    from registry.index.evaluate import record
    from registry.index.evaluation_report import as_table

    root = repository()
    dataset = find_index(root, name)
    found = library(dataset, root, version)
    click.echo(json.dumps(found.figures) if as_json else as_table(found))
    if not version:
        click.echo(record(dataset, root, found))
