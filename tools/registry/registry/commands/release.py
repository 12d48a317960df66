"""The commands that release datasets."""

import click
from data_registry.clone import repository
from data_registry.stage.options import talk
from launcher.images import refresh_images

from registry.datasets import find_datasets
from registry.options import REMOTE


@click.command()
@click.argument("name", metavar="DATASET", envvar="DS", default="")
@click.option("--version", envvar="VERSION", show_envvar=True, default="", help="The version, as 1.1.0.")
@click.option(
    "--bump",
    envvar="BUMP",
    show_envvar=True,
    default="",
    help="major, minor or patch; auto: by what has changed, schema, samples or the rest.",
)
@click.option("--dry-run", envvar="DRY_RUN", show_envvar=True, is_flag=True, help="Only say what would be done.")
@REMOTE
@talk
def release(name: str, version: str, bump: str, dry_run: bool, remote: str) -> None:
    """Release DATASET as it is built here: its data to the remote, read back, then commit and tag in one step.

    Run again after whatever went wrong, it finishes what is left, or says that it is done. A tag never moves.
    """
    from registry.release.release import release as library

    root = repository()
    (dataset,) = find_datasets(root, name, all_of_them=False)
    done = library(dataset, root, remote, version, bump, dry_run)
    if dry_run and done.outcome == "planned":
        click.echo(f"{done.tag}: planned; {done.objects} outputs to push to {done.remote}, nothing done")
        return
    click.echo(
        f"{done.tag}: {done.outcome}; {done.sent} of {done.objects} objects sent to {done.remote}, all read back"
    )


@click.command()
@click.option("--force", envvar="FORCE", show_envvar=True, is_flag=True, help="Build what is current again.")
@click.option(
    "--with-embeddings",
    envvar="WITH_EMBEDDINGS",
    show_envvar=True,
    is_flag=True,
    help="The embeddings too, at the end.",
)
@REMOTE
@talk
def bootstrap(force: bool, with_embeddings: bool, remote: str) -> None:
    """Build every dataset and release it as 1.0.0; what is released already stays."""
    from registry.release.bootstrap import bootstrap as library

    root = repository()
    refresh_images(root)
    for done in library(root, remote, force, with_embeddings):
        click.echo(f"{done.tag}: {done.outcome}; {done.sent} of {done.objects} objects sent to {done.remote}")
