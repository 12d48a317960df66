"""The commands that are steps of a workflow."""

from pathlib import Path

import click
from registry.options import REMOTE

FOLDER = click.Path(file_okay=False, path_type=Path)
WORKSPACE = click.option(
    "--workspace", type=FOLDER, default="/workspace", show_default=True, help="Volume that the steps share."
)
OUT = click.option(
    "--out",
    type=FOLDER,
    default="/tmp/out",  # noqa: S108
    show_default=True,
    help="Folder for the output parameters of the step, a file for each.",
)
DATASET = click.option("--dataset", "name", envvar="DS", show_envvar=True, required=True)
BOOLEAN = click.Choice(["false", "true"])


@click.group()
def argo() -> None:
    """Run a step of a workflow, in a pod.

    Argo sets the options in the environment. The workspace has the clone and plan.json, which plan writes and the other
    steps read.
    """


@argo.command()
@DATASET
@click.option("--digest", envvar="STAGES_DIGEST", show_envvar=True, required=True, help="Digest of the stages.")
@click.option("--revision", envvar="REVISION", show_envvar=True, default="main", help="Commit of the main branch.")
@click.option("--force", envvar="FORCE", show_envvar=True, type=BOOLEAN, default="false", help="Run every stage.")
@click.option("--data-version", envvar="DATA_VERSION", show_envvar=True, default="", help="Release to build from.")
@click.option("--repo", envvar="REPO_URL", show_envvar=True, required=True, help="URL to clone.")
@REMOTE
@WORKSPACE
@OUT
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
    """Clone the repository, find the stages to run, and fetch their inputs.

    \b
    Example:
      cluster argo plan --dataset emotion --digest 2fcc51d90a6be1a4 --repo https://example.org/registry.git
    """
    from cluster.steps.plan import make_plan
    from cluster.steps.workspace import Workspace

    plan = make_plan(Workspace(workspace), repo, remote, name, digest, revision, force == "true", data_version)
    _write(out, publish=str(plan.publish).lower())
    _write(out, **{f"run-{stage}": str(stage in plan.run).lower() for stage in plan.outputs})
    stages = f"run {', '.join(plan.run)}" if plan.run else "all stages are up to date"
    click.echo(f"{name} at {plan.base[:12]}: {stages}")


@argo.command()
@click.argument("stage")
@WORKSPACE
def clean(stage: str, workspace: Path) -> None:
    """Remove the outputs of STAGE, and any other file that a failed attempt has left.

    \b
    Example:
      cluster argo clean parquetizer
    """
    from cluster.steps.workspace import Workspace
    from cluster.steps.workspace import clean as library

    for path in library(Workspace(workspace), stage):
        click.echo(f"removed {path}")


@argo.command()
@click.option("--bump", envvar="BUMP_TYPE", show_envvar=True, default="auto", help="As for make release BUMP=.")
@click.option("--automated", envvar="IS_AUTOMATED", show_envvar=True, type=BOOLEAN, default="false")
@click.option("--workflow", "uid", envvar="ARGO_WORKFLOW_UID", show_envvar=True, default="", help="For the tag.")
@click.option("--push-url", envvar="REPO_PUSH_URL", show_envvar=True, default="", help="URL to push to.")
@REMOTE
@WORKSPACE
@OUT
def publish(bump: str, automated: str, uid: str, push_url: str, remote: str, workspace: Path, out: Path) -> None:
    """Release the outputs of the stages, unless they are released already.

    \b
    Example:
      cluster argo publish --bump minor
    """
    from cluster.steps.publish import publish as library
    from cluster.steps.workspace import Workspace

    notes = tuple(f"{key}: {value}" for key, value in (("argo-workflow-uid", uid), ("automated", automated)) if value)
    done = library(Workspace(workspace), remote, bump, push_url, notes)
    _write(out, tag=done.tag, outcome=done.outcome)
    click.echo(f"{done.tag}: {done.outcome}; {done.sent} of {done.objects} objects sent to {done.remote}")


@argo.command()
@DATASET
@click.option("--workflow", envvar="ARGO_WORKFLOW_NAME", show_envvar=True, default="")
@click.option("--status", envvar="ARGO_WORKFLOW_STATUS", show_envvar=True, default="")
@click.option("--failures", envvar="ARGO_WORKFLOW_FAILURES", show_envvar=True, default="")
def report(name: str, workflow: str, status: str, failures: str) -> None:
    """Print how the workflow ended, and the steps that failed.

    \b
    Example:
      cluster argo report --dataset emotion --workflow data-emotion-x7k2p --status Succeeded
    """
    from cluster.steps.report import failed_steps

    click.echo("\n".join([f"{workflow}: {name} {status}", *failed_steps(failures)]))


def _write(out: Path, **values: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (out / name).write_text(value, encoding="utf-8")
