"""The command line of pgloader."""

import sys
from pathlib import Path

import click
from stage.command import Tool
from stage.options import params_file

import pgloader
from pgloader.searching import MODES, read_queries
from pgloader.settings import LoaderSettings

cli = Tool("pgloader", help="Load embeddings into PostgreSQL as versions, and switch readers between versions.")

file = click.Path(dir_okay=False, path_type=Path)


@cli.command()
@click.argument("embeddings", type=file)
@click.argument("receipt", type=file)
@params_file("pgloader")
def load(embeddings: Path, receipt: Path, params: Path) -> pgloader.LoadResult:
    """Load EMBEDDINGS into a table of its own, and write RECEIPT.

    The load is one transaction: the table is complete, verified and indexed, or it does not exist. Readers see it only
    after a switch. A file that is already loaded is not loaded again.

    \b
    Example:
      pgloader load --params params.yaml embeddings.parquet receipt.json
    """
    return pgloader.load(embeddings, receipt, LoaderSettings.read(params))


@cli.command()
@click.argument("receipt", type=file)
@click.option("--version", required=True, help="Name of the release.")
@params_file("pgloader")
def switch(receipt: Path, version: str, params: Path) -> pgloader.SwitchResult:
    """Point the view at the load of RECEIPT, and drop loads that are too old for a rollback.

    A query of a reader sees either the old load or the new one, never a mix.

    \b
    Example:
      pgloader switch --params params.yaml --version 1.1.0 receipt.json
    """
    return pgloader.switch(receipt, version, LoaderSettings.read(params))


@cli.command()
@params_file("pgloader")
def rollback(params: Path) -> pgloader.SwitchResult:
    """Point the view back at the load before the last switch.

    \b
    Example:
      pgloader rollback --params params.yaml
    """
    return pgloader.rollback(LoaderSettings.read(params))


@cli.command()
@click.argument("embeddings", type=file)
@params_file("pgloader")
def reconcile(embeddings: Path, params: Path) -> pgloader.ReconcileResult:
    """Compare the table of EMBEDDINGS with the file, row by row.

    \b
    Example:
      pgloader reconcile --params params.yaml embeddings.parquet
    """
    return pgloader.reconcile(embeddings, LoaderSettings.read(params))


@cli.command()
@click.option("--load", default="current", metavar="LOAD", help="Version or table to search.  [default: the view]")
@click.option("--mode", type=click.Choice(MODES), default="hybrid", show_default=True, help="Kind of search.")
@click.option("--limit", type=click.IntRange(1, 100), default=5, show_default=True, help="Hits per query.")
@params_file("pgloader")
def search(load: str, mode: str, limit: int, params: Path) -> pgloader.SearchResult:
    """Search for the queries on stdin, a JSON array of {"query", "embedding"}.

    \b
    Example:
      pgloader search --params params.yaml --mode vector < queries.json
    """
    return pgloader.search(read_queries(sys.stdin.read()), load, mode, limit, LoaderSettings.read(params))


@cli.command()
@params_file("pgloader")
def status(params: Path) -> pgloader.StatusResult:
    """List the loads, the switches, and the load that the view points at.

    \b
    Example:
      pgloader status --params params.yaml
    """
    return pgloader.status(LoaderSettings.read(params))
