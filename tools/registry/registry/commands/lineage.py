"""The commands that show and compare versions, and trace samples and models."""

import dataclasses
import json
from pathlib import Path

import click
from data_registry.clone import repository

from registry.datasets import find_datasets
from registry.options import DATASET, JSON, REMOTE, option, require

FORMATS = ["table", "json", "markdown"]


@click.command("show")
@DATASET
@click.argument("version", metavar="[VERSION]", envvar="VERSION", default="")
@JSON
def show_command(name: str, version: str, as_json: bool) -> None:
    """Show a VERSION of DATASET, or its working copy: sources, splits, columns, checks, parameters; and all versions.

    Example: make show DS=emotion
    """
    from registry.lineage.show import as_text, show  # lazy, as in all of these commands: loads pyarrow

    root = repository()
    (dataset,) = find_datasets(root, name, all_of_them=False)
    description = show(dataset, root, version)
    if as_json:
        versions = [vars(listed) for listed in description.versions]
        click.echo(json.dumps({**vars(description), "versions": versions}, ensure_ascii=False))
    else:
        click.echo(as_text(description))


@click.command("diff")
@DATASET
@click.argument("before", metavar="A", envvar="A", default="latest")
@click.argument("after", metavar="[B]", envvar="B", default="")
@option("--format style", "FORMAT", "json lists every sample.", "table", type=click.Choice(FORMATS))
@REMOTE
def diff_command(name: str, before: str, after: str, style: str, remote: str) -> None:
    """Compare version A of DATASET (default: latest) with version B, or with the working copy.

    Samples are matched by their key: a changed sample has other content, a moved one another split.

    Example: make diff DS=emotion A=1.0.0 B=1.1.0
    """
    from registry.compare.diff import KINDS, as_json, as_markdown, as_table, diff_of, first, sides
    from registry.compare.values import values_of

    root = repository()
    (dataset,) = find_datasets(root, name, all_of_them=False)
    old, new = sides(dataset, root, before, after, remote)
    diff = diff_of(old, new)
    if style == "json":
        click.echo(as_json(old.name, new.name, diff))
    else:
        values = values_of(old, new, {kind: first(getattr(diff, kind)) for kind in KINDS}, remote)
        write = as_markdown if style == "markdown" else as_table
        click.echo(write(f"{dataset.name} {old.name} → {new.name}", diff, values))


@click.command("explain")
@click.argument("model", metavar="MODEL", envvar="MODEL", default="")
@option("--ids", "IDS", "Write every sample to this CSV file.", metavar="FILE")
@JSON
@REMOTE
def explain_command(model: str, ids: str, as_json: bool, remote: str) -> None:
    """Show the samples that MODEL, name/version or name@alias in MLflow, was trained on.

    They come from its run: the release, and the selection that the training logged.

    Example: make explain MODEL=wine-regressor/3 IDS=samples.csv
    """
    from registry.lineage.explain import as_json as document
    from registry.lineage.explain import as_text, explain, write_ids
    from registry.services.tracking import recorded

    require("make explain MODEL=wine-regressor/1", MODEL=model)
    root = repository()
    with recorded(root) as client:
        explanation = explain(client, root, model, remote)
    if ids:
        write_ids(explanation, Path(ids))
    click.echo(json.dumps(document(explanation), ensure_ascii=False) if as_json else as_text(explanation, ids))


@click.command("whohas")
@click.argument("sample", metavar="SAMPLE", envvar="SAMPLE", default="")
@JSON
@REMOTE
def whohas_command(sample: str, as_json: bool, remote: str) -> None:
    """List every release and every registered model that has SAMPLE, so that it can be removed.

    SAMPLE is an id of 32 hex digits, file:PATH (an image, audio or a document), row:JSON (an array or object of the
    columns, or of the key alone), or a text.

    Exits with 45 and names the releases that could not be searched, if there are any.

    Example: make whohas SAMPLE="i didnt feel humiliated"
    """
    from registry.lineage.whohas import as_text, whohas
    from registry.services.tracking import recorded

    require('make whohas SAMPLE="a text" (or an id, file:PATH, row:JSON)', SAMPLE=sample)
    root = repository()
    with recorded(root) as client:
        result = whohas(client, root, sample, remote)
    click.echo(json.dumps(dataclasses.asdict(result), ensure_ascii=False) if as_json else as_text(sample, result))
    result.check()
