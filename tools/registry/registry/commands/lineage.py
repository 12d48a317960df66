"""The commands that say what is in a version, and where a sample went."""

import dataclasses
import json
from pathlib import Path

import click
from data_registry.clone import repository
from data_registry.stage.options import talk

from registry.datasets import find_datasets
from registry.options import REMOTE

DATASET = click.argument("name", metavar="DATASET", envvar="DS", default="")
JSON = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


@click.command("show")
@DATASET
@click.argument("version", metavar="[VERSION]", envvar="VERSION", default="")
@JSON
@talk
def show_command(name: str, version: str, as_json: bool) -> None:
    """Show a VERSION of DATASET, or what is built here: provenance, params, sources, splits, checks, versions."""
    from registry.lineage.show import as_text, show

    root = repository()
    (dataset,) = find_datasets(root, name, all_of_them=False)
    shown = show(dataset, root, version)
    if as_json:
        versions = [vars(each) for each in shown.versions]
        click.echo(json.dumps({**vars(shown), "versions": versions}, ensure_ascii=False))
    else:
        click.echo(as_text(shown))


@click.command("diff")
@DATASET
@click.argument("before", metavar="A", envvar="A", default="latest")
@click.argument("after", metavar="[B]", envvar="B", default="")
@click.option(
    "--format",
    "style",
    envvar="FORMAT",
    show_envvar=True,
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="json names every sample; markdown is for a pull request.",
)
@REMOTE
@talk
def diff_command(name: str, before: str, after: str, style: str, remote: str) -> None:
    """Compare version A of DATASET with version B, or with what is built here: samples, schema, labels, metrics.

    A sample is the same where its key is: changed means another content, moved another split.
    """
    from registry.compare.diff import diff_versions
    from registry.compare.diff_report import as_json, as_markdown, as_table

    root = repository()
    (dataset,) = find_datasets(root, name, all_of_them=False)
    first, second, diff = diff_versions(dataset, root, before, after, remote)
    if style == "json":
        click.echo(as_json(first, second, diff))
    else:
        write = as_markdown if style == "markdown" else as_table
        click.echo(write(f"{dataset.name} {first} -> {second}", diff))


@click.command("explain")
@click.argument("model", metavar="MODEL", envvar="MODEL", default="")
@click.option(
    "--ids",
    envvar="IDS",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every sample to this CSV file.",
)
@JSON
@REMOTE
@talk
def explain_command(model: str, ids: Path | None, as_json: bool, remote: str) -> None:
    """Explain which samples MODEL, name/version or name@alias in MLflow, was trained on.

    By its run, the release that this names, and the selection that it has logged.
    """
    from registry.lineage.explain import explain
    from registry.lineage.explain_report import as_json as document
    from registry.lineage.explain_report import as_text, write_ids
    from registry.services.tracking import connected, recorded

    root = repository()
    with recorded(root) as uri, connected(uri) as client:
        found = explain(client, root, model, remote)
    if ids:
        write_ids(found, ids)
    click.echo(json.dumps(document(found), ensure_ascii=False) if as_json else as_text(found, ids))


@click.command("whohas")
@click.argument("sample", metavar="SAMPLE", envvar="SAMPLE", default="")
@JSON
@REMOTE
@talk
def whohas_command(sample: str, as_json: bool, remote: str) -> None:
    """List every release and every registered model that has SAMPLE: whence it must be taken down.

    Where not every release of origin could be searched, it says which, and exits with 45.

    SAMPLE is an id of 32 hex digits, file:PATH (an image or a document), row:JSON (an array or object of the columns,
    or of those that identify a sample), or a text.
    """
    from registry.lineage.whohas import whohas
    from registry.lineage.whohas_report import as_text
    from registry.services.tracking import connected, recorded

    root = repository()
    with recorded(root) as uri, connected(uri) as client:
        found = whohas(client, root, sample, remote)
    click.echo(json.dumps(dataclasses.asdict(found), ensure_ascii=False) if as_json else as_text(sample, found))
    found.check()
