"""The commands that GitHub Actions runs; its workflows hold nothing but the calls."""

import dataclasses
import functools
import json
import os
from pathlib import Path

import click
import yaml
from data_registry.clone import repository
from data_registry.git import Git
from data_registry.stage.errors import UsageError
from data_registry.stage.options import FILE
from registry.batches import Failures

from cluster.github.outcome import as_markdown
from cluster.github.request import PIPELINES, pushed_datasets, read_request
from cluster.github.submit import check, follow
from cluster.github.submit import submit as library
from cluster.kubectl import SECRET, cluster
from cluster.templates.pins import apply_pins, config_map, pins, read_config_map, unpublished

SUMMARY = click.option(
    "--summary",
    envvar="GITHUB_STEP_SUMMARY",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append Markdown to this file.",
)
RENAMED = {"patience": "timeout", "pause": "poll-interval"}  # as other repositories' CI may still call them
RENAMING = {"token_normalize_func": lambda name: RENAMED.get(name, name)}

# GitHub Actions sets these in the environment, so that no shell expands a value.
github = functools.partial(click.option, show_envvar=True, default="")


@click.command(context_settings=RENAMING)
@click.argument("pipeline", type=click.Choice(PIPELINES))
@github("--inputs", envvar="INPUTS_JSON", help="Inputs of the run, GitHub's toJSON(inputs).")
@github("--event", envvar="EVENT_NAME", help="Event of the run; on push, only changed datasets are run.")
@github("--revision", envvar="GIT_SHA", help="Commit to run at.  [default: main]")
@github("--before", envvar="BEFORE_SHA", help="Commit before a push.")
@github("--run-url", envvar="RUN_URL", help="URL of the run.")
@SUMMARY
@click.option("--timeout", type=click.FloatRange(0), default=360, show_default=True, help="Minutes to wait at most.")
@click.option("--poll-interval", type=click.FloatRange(0), default=10, show_default=True, help="Seconds between polls.")
def submit(
    pipeline: str,
    inputs: str,
    event: str,
    revision: str,
    before: str,
    run_url: str,
    summary: Path | None,
    timeout: float,
    poll_interval: float,
) -> None:
    """Submit a workflow for each dataset of a pipeline, wait for all of them, and report how they ended.

    The cluster is that of KUBE_CONFIG, a kubeconfig, plain or in base64, or else kubectl's current one. The exit code
    is that of the step that failed, or 31 for a workflow that is still running at the timeout.

    \b
    Example:
      INPUTS_JSON='{"pipelines": "emotion"}' tools/run cluster submit data
    """
    root = repository()
    changed = pushed_datasets(Git(root), before, revision) if event == "push" else None
    request = read_request(root, pipeline, inputs, event=event, revision=revision, run_url=run_url, changed=changed)
    with cluster(os.environ.get(SECRET, "")) as kubectl:
        submitted, error = library(kubectl, request)
        outcomes = follow(kubectl, submitted, timeout * 60, poll_interval)
    if summary:
        _append(summary, as_markdown(pipeline, request, outcomes.values()))
    workflows = [dataclasses.asdict(outcome) for outcome in outcomes.values()]
    click.echo(json.dumps({"workflows": workflows}, ensure_ascii=False))
    check(outcomes, error)


@click.command("pins")
@click.option("--registry", default="", help="By digest in this registry, such as ghcr.io/opencloudhub/data-registry.")
@click.option("--local", is_flag=True, help="By their names on this machine, for minikube.")
@click.option("--file", "path", type=FILE, help="As in this file.")
@click.option("--missing", is_flag=True, help="Only list, as JSON, the images that the registry does not have yet.")
@click.option("--apply", "applied", is_flag=True, help="Apply it to KUBE_CONFIG's or kubectl's current cluster.")
def pins_command(registry: str, local: bool, path: Path | None, missing: bool, applied: bool) -> None:
    """Print the ConfigMap registry-images: the images of data/images.yaml, which templates use.

    \b
    Example:
      tools/run cluster pins --registry ghcr.io/opencloudhub/data-registry > registry-images.yaml
    """
    if [bool(registry), local, bool(path)].count(True) != 1 or (missing and (applied or not registry)):
        what = "expected one of --registry, --local and --file; --missing with --registry alone"
        raise UsageError("cluster pins", what, "tools/run cluster pins --help")
    if missing:
        images = unpublished(repository(), registry)
        click.echo(json.dumps([{"tool": tool, "image": image} for tool, image in images.items()]))
        return
    data = read_config_map(path) if path else pins(repository(), registry)
    click.echo(yaml.safe_dump(config_map(data), sort_keys=False, width=1000), nl=False)
    if applied:
        with cluster(os.environ.get(SECRET, "")) as kubectl:
            apply_pins(kubectl, data)


@click.command()
@click.option("--base", envvar="BASE", show_envvar=True, default="origin/main", show_default=True, help="Commit.")
@SUMMARY
def review(base: str, summary: Path | None) -> None:
    """Compare each dataset that differs from a commit with its last release, as Markdown for a pull request.

    Both are built from their sources: neither a remote nor secrets are needed.

    \b
    Example:
      tools/run cluster review --base origin/main
    """
    from cluster.github.review import review as library  # lazy: it imports pyarrow

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
