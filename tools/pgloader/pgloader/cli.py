"""The command line of the pgloader."""

import sys
from pathlib import Path

import click
from stage.command import Tool
from stage.options import params_file, talk

import pgloader
from pgloader.searching import MODES, read_questions
from pgloader.settings import LoaderSettings

cli = Tool("pgloader", help="Load embeddings into PostgreSQL as versions, and say which of them readers see.")

file = click.Path(dir_okay=False, path_type=Path)


@cli.command()
@click.argument("embeddings", type=file)
@click.argument("receipt", type=file)
@params_file("pgloader")
@talk
def load(embeddings: Path, receipt: Path, params: Path) -> pgloader.LoadResult:
    """Load EMBEDDINGS into a table of its own, and write RECEIPT.

    One transaction: the table is there whole, checked and with its indexes, or not at all. Readers see nothing of it
    before a switch. What is loaded already is left as it is.
    """
    return pgloader.load(embeddings, receipt, LoaderSettings.read(params))


@cli.command()
@click.argument("receipt", type=file)
@click.option("--version", required=True, help="Name of the release.")
@params_file("pgloader")
@talk
def switch(receipt: Path, version: str, params: Path) -> pgloader.Change:
    """Make the relation mean the load of RECEIPT.

    Readers see the one or the other, whole. Then loads that nobody keeps are dropped.
    """
    return pgloader.switch(receipt, version, LoaderSettings.read(params))


@cli.command()
@params_file("pgloader")
@talk
def rollback(params: Path) -> pgloader.Change:
    """Make the relation mean what it meant before the last switch."""
    return pgloader.rollback(LoaderSettings.read(params))


@cli.command()
@click.argument("embeddings", type=file)
@params_file("pgloader")
@talk
def reconcile(embeddings: Path, params: Path) -> pgloader.ReconcileResult:
    """Compare what the table of EMBEDDINGS holds with the file, row by row."""
    return pgloader.reconcile(embeddings, LoaderSettings.read(params))


@cli.command()
@click.option("--load", default="current", metavar="LOAD", help="A version or a table; by default what readers see.")
@click.option("--mode", type=click.Choice(MODES), default="hybrid", show_default=True, help="What to search by.")
@click.option("--limit", type=click.IntRange(1, 100), default=5, show_default=True, help="Hits for each question.")
@params_file("pgloader")
@talk
def search(load: str, mode: str, limit: int, params: Path) -> pgloader.SearchResult:
    """Search for the questions on stdin, a JSON array of {"query", "embedding"}."""
    return pgloader.search(read_questions(sys.stdin.read()), load, mode, limit, LoaderSettings.read(params))


@cli.command()
@params_file("pgloader")
@talk
def status(params: Path) -> pgloader.StatusResult:
    """Say what is loaded, what the relation means, and what it has meant."""
    return pgloader.status(LoaderSettings.read(params))
