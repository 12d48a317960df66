"""The commands that GitHub Actions runs: what is in the workflows there is how they are called."""

import dataclasses
import functools
import json
import logging
import os
from pathlib import Path

import click
import yaml
from data_registry.clone import repository
from data_registry.git import Git
from data_registry.stage.errors import UsageError
from data_registry.stage.options import talk
from registry.batches import Failures

from cluster.kubernetes.changed import pushed_datasets
from cluster.kubernetes.context import NAMESPACE
from cluster.kubernetes.inputs import PIPELINES, read_request
from cluster.kubernetes.kubectl import SECRET, cluster
from cluster.kubernetes.pins import apply_pins, config_map, pins, read_config_map, unpublished
from cluster.kubernetes.submit import check, follow, manifest
from cluster.kubernetes.submit import submit as create
from cluster.kubernetes.summary import as_markdown

log = logging.getLogger(__name__)

SUMMARY = click.option(
    "--summary",
    envvar="GITHUB_STEP_SUMMARY",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append Markdown to this file.",
)

# What GitHub Actions sets by its environment, so that no shell sees a value.
github = functools.partial(click.option, show_envvar=True, default="")


@click.command()
@click.argument("pipeline", type=click.Choice(PIPELINES))
@github("--inputs", envvar="INPUTS_JSON", help="What the run was given, GitHub's toJSON(inputs).")
@github("--event", envvar="EVENT_NAME", help="Its event; on push, only what has changed is run.")
@github("--revision", envvar="GIT_SHA", help="The commit to run at.  [default: main]")
@github("--before", envvar="BEFORE_SHA", help="The commit before a push.")
@github("--run-url", envvar="RUN_URL", help="The page of the run.")
@SUMMARY
@click.option("--patience", type=click.FloatRange(0), default=360, show_default=True, help="Minutes until it gives up.")
@click.option("--pause", type=click.FloatRange(0), default=10, show_default=True, help="Seconds between two looks.")
@talk
def submit(
    pipeline: str,
    inputs: str,
    event: str,
    revision: str,
    before: str,
    run_url: str,
    summary: Path | None,
    patience: float,
    pause: float,
) -> None:
    """Submit a workflow to Argo for each dataset of a pipeline, wait for all of them, and say what became of each.

    The cluster is that of KUBE_CONFIG, a kubeconfig, plain or in base64, or else kubectl's own. The exit code is that
    of the step that failed, 31 where a workflow has not ended in time.
    """
    root = repository()
    changed = pushed_datasets(Git(root), before, revision) if event == "push" else None
    request = read_request(root, pipeline, inputs, event=event, revision=revision, run_url=run_url, changed=changed)
    manifests = {name: manifest(name, request) for name in request.datasets}
    with cluster(NAMESPACE, os.environ.get(SECRET, "")) as kubectl:
        submitted, error = create(kubectl, manifests)
        outcomes = follow(kubectl, submitted, patience * 60, pause)
    if summary:
        _append(summary, as_markdown(pipeline, request, outcomes.values()))
    click.echo(json.dumps({"workflows": [dataclasses.asdict(each) for each in outcomes.values()]}, ensure_ascii=False))
    check(outcomes, error)


@click.command("pins")
@click.option("--registry", default="", help="Where they are published, as ghcr.io/opencloudhub/data-registry.")
@click.option("--local", is_flag=True, help="As they are called on this machine, for minikube.")
@click.option(
    "--file", "given", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="As this file has them."
)
@click.option("--missing", is_flag=True, help="Only list, as JSON, which of them the registry does not have yet.")
@click.option("--apply", "applied", is_flag=True, help="Apply it too, to the cluster of KUBE_CONFIG or kubectl's own.")
@talk
def pins_command(registry: str, local: bool, given: Path | None, missing: bool, applied: bool) -> None:
    """Print the ConfigMap registry-images: the images of data/images.yaml, by their digests in a registry."""
    if [bool(registry), local, bool(given)].count(True) != 1 or (missing and (applied or not registry)):
        raise UsageError("registry pins", "one of --registry, --local and --file is needed", "registry pins --help")
    if missing:
        images = unpublished(repository(), registry)
        click.echo(json.dumps([{"tool": tool, "image": image} for tool, image in images.items()]))
        return
    data = read_config_map(given) if given else pins(repository(), registry)
    click.echo(yaml.safe_dump(config_map(data), sort_keys=False, width=1000), nl=False)
    if applied:
        with cluster(NAMESPACE, os.environ.get(SECRET, "")) as kubectl:
            apply_pins(kubectl, data)


@click.command()
@click.option("--base", envvar="BASE", show_envvar=True, default="origin/main", show_default=True, help="The commit.")
@SUMMARY
@talk
def review(base: str, summary: Path | None) -> None:
    """Print, as Markdown for a pull request, how each dataset that differs from a commit compares with its release.

    Both are built from their sources, so that neither remote nor secrets are needed.
    """
    from cluster.kubernetes.review import review as library  # lazy, as it imports pyarrow

    failures = Failures()
    for text, error in library(repository(), base):
        click.echo(f"{text}\n")
        if summary:
            _append(summary, f"{text}\n")
        if error:
            failures.add(error)
    failures.end()


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")
