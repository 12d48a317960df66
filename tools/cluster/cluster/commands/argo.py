"""The commands of Argo's side: generate a dataset's workflow, and be its steps."""

from pathlib import Path

import click
from data_registry.clone import repository
from data_registry.stage.errors import ReleaseRefused
from data_registry.stage.options import talk
from registry.batches import Failures
from registry.datasets import find_datasets
from registry.options import REMOTE

FOLDER = click.Path(file_okay=False, path_type=Path)
WORKSPACE = click.option("--workspace", type=FOLDER, default="/workspace", show_default=True, help="The shared volume.")
OUT = click.option(
    "--out",
    type=FOLDER,
    default="/tmp/out",  # noqa: S108
    show_default=True,
    help="Where the step's output parameters go, a file each.",
)
DATASET = click.option("--dataset", "name", envvar="DS", show_envvar=True, required=True)
BOOLEAN = click.Choice(["false", "true"])


@click.command()
@click.argument("name", metavar="DATASET", envvar="DS", default="")
@click.option("--check", is_flag=True, help="Only say whether they are current: exit 40 where one is not.")
@talk
def workflow(name: str, check: bool) -> None:
    """Write the Argo WorkflowTemplate of DATASET (or all), data/DATASET/workflow.yaml, from its DVC stages."""
    from cluster.argo.template import is_current, write_workflow

    root, failures = repository(), Failures()
    for each in find_datasets(root, name):
        path = f"data/{each.name}/workflow.yaml"
        with failures.collected(each.name * (name == "all")):
            if check and not is_current(each, root):
                raise ReleaseRefused(path, "is not what dvc.yaml and data/images.yaml make of it", "make workflows")
            if not check:
                click.echo(f"{path}: {'written' if write_workflow(each, root) else 'is current'}")
    failures.end()


@click.group()
def argo() -> None:
    """Be a step of a workflow; Argo gives what it needs in the environment."""


@argo.command()
@DATASET
@click.option("--digest", envvar="STAGES_DIGEST", show_envvar=True, required=True, help="Of the template's stages.")
@click.option("--revision", envvar="REVISION", show_envvar=True, default="main", help="A commit of the main branch.")
@click.option("--force", envvar="FORCE", show_envvar=True, type=BOOLEAN, default="false", help="Run every stage.")
@click.option("--data-version", envvar="DATA_VERSION", show_envvar=True, default="", help="Release to build from.")
@click.option("--repo", envvar="REPO_URL", show_envvar=True, required=True, help="URL to clone.")
@REMOTE
@WORKSPACE
@OUT
@talk
def plan(
    name: str,
    digest: str,
    revision: str,
    force: str,
    data_version: str,
    repo: str,
    remote: str,
    workspace: Path,
    out: Path,
) -> None:
    """Clone the repository, say which stages have to run, and fetch what they need."""
    from cluster.argo.plan import Request, make_plan
    from cluster.argo.workspace import Workspace

    request = Request(name, digest, revision, force == "true", data_version)
    made = make_plan(request, Workspace(workspace), repo, remote)
    _leave(out, publish=str(made.publish).lower())
    _leave(out, **{f"run-{stage}": str(stage in made.run).lower() for stage in made.outputs})
    click.echo(f"{name} at {made.base[:12]}: " + (f"run {', '.join(made.run)}" if made.run else "nothing is stale"))


@argo.command()
@click.argument("stage")
@WORKSPACE
@talk
def clean(stage: str, workspace: Path) -> None:
    """Remove what is there of STAGE's outputs, and what a failed attempt has left beside them."""
    from cluster.argo.workspace import Workspace
    from cluster.argo.workspace import clean as library

    for path in library(Workspace(workspace), stage):
        click.echo(f"removed {path}")


@argo.command()
@click.option("--bump", envvar="BUMP_TYPE", show_envvar=True, default="auto", help="As make release BUMP= has it.")
@click.option("--automated", envvar="IS_AUTOMATED", show_envvar=True, type=BOOLEAN, default="false")
@click.option("--workflow", "uid", envvar="ARGO_WORKFLOW_UID", show_envvar=True, default="", help="Named in the tag.")
@click.option("--push-url", envvar="REPO_PUSH_URL", show_envvar=True, default="", help="URL that git pushes to.")
@REMOTE
@WORKSPACE
@OUT
@talk
def publish(bump: str, automated: str, uid: str, push_url: str, remote: str, workspace: Path, out: Path) -> None:
    """Release what the stages have made; nothing where it is released already."""
    from cluster.argo.publish import publish as library
    from cluster.argo.workspace import Workspace

    notes = tuple(f"{key}: {value}" for key, value in (("argo-workflow-uid", uid), ("automated", automated)) if value)
    done = library(Workspace(workspace), remote, bump, push_url, notes)
    _leave(out, tag=done.tag, outcome=done.outcome)
    click.echo(f"{done.tag}: {done.outcome}; {done.sent} of {done.objects} objects sent to {done.remote}")


@argo.command()
@DATASET
@click.option("--workflow", envvar="ARGO_WORKFLOW_NAME", show_envvar=True, default="")
@click.option("--status", envvar="ARGO_WORKFLOW_STATUS", show_envvar=True, default="")
@click.option("--failures", envvar="ARGO_WORKFLOW_FAILURES", show_envvar=True, default="")
@talk
def report(name: str, workflow: str, status: str, failures: str) -> None:
    """Say how the workflow ended, and what failed."""
    from cluster.argo.report import make_report

    made = make_report(name, workflow, status, failures)
    click.echo("\n".join([f"{made.workflow}: {made.dataset} {made.status}", *made.failures]))


def _leave(out: Path, **values: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (out / name).write_text(value, encoding="utf-8")
