"""The commands of the vector index."""

import dataclasses
import json
from pathlib import Path

import click
from data_registry.clone import repository
from data_registry.git import Git
from data_registry.releases.lookup import find_release
from data_registry.stage.options import FILE

from registry.index.evaluate import as_table, record
from registry.index.evaluate import evaluate as evaluate_index
from registry.index.parent import get_parent
from registry.index.search import MODES, as_text, embed
from registry.index.search import search as search_index
from registry.index.versions import find_index, load_release, released_table
from registry.index.versions import load as load_working_copy
from registry.index.versions import rollback as roll_back
from registry.index.versions import switch as switch_index
from registry.options import INDEX, JSON, REMOTE, option, require


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--params", type=FILE, required=True, help="YAML file; its section registry names the release.")
@REMOTE
def parent(out: Path, params: Path, remote: str) -> None:
    """Fetch the release that a dataset is made from into the folder OUT, verified: the stage registry in dvc.yaml.

    Example: tools/run registry parent --params params.yaml raw
    """
    click.echo(json.dumps(dataclasses.asdict(get_parent(params, repository(), remote, out))))


@click.command()
@INDEX
@option("--version", "VERSION", "A release, as 1.0.0 or latest.  [default: the working copy]")
@REMOTE
def load(name: str, version: str, remote: str) -> None:
    """Load a version of a vector index into a table of its own, unless the database has it.

    Readers do not see it before make switch.

    Example: make load VERSION=1.0.0
    """
    root = repository()
    dataset = find_index(root, name)
    if version:
        done = load_release(find_release(Git(root), dataset.name, version), root, remote)
    else:
        done = load_working_copy(dataset, root)
    click.echo(f"{done['table']}: {done['rows']} chunks loaded; make switch points readers at a release")


@click.command()
@INDEX
@option("--version", "VERSION", "A release, as 1.0.0.", "latest")
@REMOTE
def switch(name: str, version: str, remote: str) -> None:
    """Point the view that readers query at a release, in one step; the previous one is kept for rollback.

    Example: make switch VERSION=1.0.0
    """
    root = repository()
    done = switch_index(find_index(root, name), root, remote, version)
    click.echo(f"{done['relation']}: now {done['table']}")


@click.command()
@INDEX
def rollback(name: str) -> None:
    """Point the view that readers query back at the previous version.

    Example: make rollback
    """
    root = repository()
    done = roll_back(find_index(root, name), root)
    click.echo(f"{done['relation']}: back to {done['table']}")


@click.command()
@click.argument("question", envvar="Q", default="")
@option("--dataset name", "DS", "Which index, if there are several.")
@option("--version", "VERSION", "A loaded release.  [default: what readers see]")
@option("--mode", "MODE", "By meaning (vector), by words (text), or both.", "hybrid", type=click.Choice(MODES))
@option("--limit", "LIMIT", "Number of results.", "5", type=click.IntRange(1, 100))
@JSON
def search(question: str, name: str, version: str, mode: str, limit: int, as_json: bool) -> None:
    """Search the vector index for QUESTION; print file, heading and score of each result.

    Example: make search Q="how do I deploy with Argo" LIMIT=3
    """
    require('make search Q="how do I deploy with Argo"', Q=question.strip())
    root = repository()
    dataset = find_index(root, name)
    table = released_table(dataset, root, version) if version else "current"
    results = search_index(dataset, root, embed(dataset, root, [question]), table, mode=mode, limit=limit)
    if as_json:
        hits = [dataclasses.asdict(hit) for hit in results.hits[0]]
        click.echo(json.dumps({"question": question, "table": results.table, "hits": hits}, ensure_ascii=False))
    else:
        click.echo(as_text(question, results))


@click.command()
@INDEX
@option("--version", "VERSION", "A loaded release.  [default: the working copy, loaded first]")
@JSON
def evaluate(name: str, version: str, as_json: bool) -> None:
    """Measure hit rate, MRR and nDCG of a vector index on questions with known answers, in every mode.

    For the working copy, the figures go to evaluation.json, metadata.json and MLflow.

    Example: make evaluate VERSION=1.0.0
    """
    root = repository()
    dataset = find_index(root, name)
    evaluation = evaluate_index(dataset, root, version)
    click.echo(json.dumps(evaluation.figures) if as_json else as_table(evaluation))
    if not version:
        click.echo(record(dataset, root, evaluation))
