"""The commands that read releases back from the store, mend them, and hand them out."""

import dataclasses
import logging
import os
from pathlib import Path

import click
from data_registry.clone import repository
from data_registry.git import Git
from data_registry.releases.completeness import ask_origin, find_gaps, report_gaps
from data_registry.releases.release import Release
from data_registry.releases.versions import chosen, released
from data_registry.stage.errors import ReleaseRefused, UsageError, VerificationFailed
from data_registry.stage.options import talk
from data_registry.stage.progress import progress
from data_registry.store.objects import shown
from data_registry.store.remote import open_store
from data_registry.store.verify import Problem, check_origin, size_of

from registry.batches import Failures
from registry.options import REMOTE
from registry.terminal import amount

log = logging.getLogger(__name__)

LOST = "make push where it was built, or put a copy of the object there by hand"

DATASET = click.argument("name", metavar="DATASET", envvar="DS", default="")
VERSION = click.option(
    "--version", envvar="VERSION", show_envvar=True, default="latest", show_default=True, help="As 1.1.0, or latest."
)
ALL = click.option(
    "--all", "everything", envvar="ALL", show_envvar=True, is_flag=True, help="Every release, of DATASET or of all."
)


@click.command()
@DATASET
@VERSION
@ALL
@click.option(
    "--rebuild",
    envvar="REBUILD",
    show_envvar=True,
    is_flag=True,
    help="Build it again too, from its sources with its own tools, and compare.",
)
@REMOTE
@talk
def verify(name: str, version: str, everything: bool, rebuild: bool, remote: str) -> None:
    """Read a release of DATASET back from the remote, every byte, and name what is missing or damaged."""
    from data_registry.store.verify import verify as library

    root = repository()
    releases, failures = _releases(root, name, version, everything), Failures()
    of = "" if everything and not name else releases[0].name
    origin = ask_origin(Git(root), of)
    if origin.unasked:
        log.warning("the tags are not compared with those of %s: %s", origin.name, origin.unasked)
    for line in dataclasses.replace(find_gaps(Git(root), of, origin), moved=(), unasked="").lines:
        log.warning("%s", line)
    for release in releases:
        with failures.collected(release.tag * everything):
            found = check_origin(release, origin)
            store, size = open_store(release.git, "HEAD", remote), size_of(release)
            with progress(f"reading {release.tag} back", size, "bytes") as advance:
                found += library(release, store, advance)
            again = ""
            if rebuild:
                from registry.repair.rebuild import compare, rebuilt  # lazy: most runs do not

                with rebuilt(release, root) as clone:
                    compared = compare(release, clone, remote)
                found += compared.problems
                again = ", and built again it is the same"
                if compared.distance is not None:
                    again += (
                        f" but for the last digits of vectors: at most {compared.distance:.1e} apart, 1e-6 is allowed"
                    )
            _report(found, failures)
            if not found:
                click.echo(f"{release.tag}: {amount(size)} on {remote}, all as released{again}")
    failures.end()


@click.command()
@DATASET
@VERSION
@ALL
@REMOTE
@talk
def repair(name: str, version: str, everything: bool, remote: str) -> None:
    """Put good copies in the place of what a release lacks or has damaged on the remote, then verify it.

    They come from the cache or the working tree of this clone; where neither has one, the release is built again.
    """
    from data_registry.store.verify import verify as check

    from registry.repair.repair import repair as library

    root = repository()
    failures = Failures()
    for release in _releases(root, name, version, everything):
        with failures.collected(release.tag * everything):
            store, size = open_store(release.git, "HEAD", remote), size_of(release)
            with progress(f"reading {release.tag} back", size, "bytes") as advance:
                done = library(release, root, store, advance)
            for each in done.mended:
                path = shown(f"{release.folder}/{each.path}")
                click.echo(f"{release.tag}: {path} was {each.what}: mended from {each.source}")
            with progress(f"verifying {release.tag}", size, "bytes") as advance:
                found = check(release, store, advance)
            lost = {each.md5 for each in done.left}
            found = [dataclasses.replace(each, fix=LOST) if lost & set(each.what.split()) else each for each in found]
            _report(found, failures)
            if not found:
                click.echo(f"{release.tag}: {len(done.mended)} mended on {remote}, all is as released")
    failures.end()


@click.command()
@DATASET
@click.argument("version", envvar="VERSION", default="latest")
@click.argument("out", envvar="OUT", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--repo",
    "url",
    envvar=["REPO", "DVC_REPO", "DVC_REPO_URL"],
    show_envvar=True,
    default="",
    help="The git repository, where it is not this one.",
)
@click.option(
    "--remote",
    envvar="DVC_REMOTE",
    show_envvar=True,
    default="",
    help="As .dvc/config names it.  [default: local; with --repo, the default there]",
)
@talk
def get(name: str, version: str, out: Path, url: str, remote: str) -> None:
    """Fetch the data of a release of DATASET (VERSION: as 1.1.0, or latest) into the folder OUT, verified.

    What is there and right stays, what is there in part goes on from where it stopped.
    """
    if url:
        from data_registry.releases.lookup import release_at

        with release_at(url, name, version) as release:
            _get(release, out, f"refs/tags/{release.tag}", remote)
    else:
        root = repository()
        report_gaps(Git(root), name.partition("@")[0])  # the latest may be a release that is not here
        _get(_releases(root, name, version, everything=False)[0], out, "HEAD", remote or "local")


def _get(release: Release, out: Path, revision: str, remote: str) -> None:
    from data_registry.store.get import chosen_outputs
    from data_registry.store.get import get as library

    store = open_store(release.git, revision, remote, release.source)
    size = sum(output.size for output in chosen_outputs(release))
    with progress(f"getting {release.tag}", size, "bytes") as advance:
        got = library(release, store, out, advance)
    click.echo(f"{got.tag}: {got.files} files, {amount(size)} in {out}, all verified; {got.fetched} fetched now")


@click.command()
@REMOTE
@talk
def doctor(remote: str) -> None:
    """Look at tools, clone, remote and services, for the chosen ENV, and say how to mend what is wrong."""
    from registry.doctor.doctor import as_table, examine

    checks = examine(repository(), remote)
    click.echo(as_table(checks))
    if broken := [check for check in checks if check.needed and not check.is_ok]:
        what = f"{broken[0].result} ({len(broken)} in all)"
        raise ReleaseRefused(f"ENV={os.environ.get('ENV') or 'local'} {broken[0].name}", what, broken[0].fix)


def _releases(root: Path, name: str, version: str, everything: bool) -> list[Release]:
    """Return the releases that are meant: ``emotion``, ``emotion@1.1.0``, or all by their tags."""
    git = Git(root)
    if not everything:
        name, _, given = name.partition("@")
        return [Release(git, name, chosen(git, name, given or version))]
    found = [Release(git, each, one) for each, versions in released(git, name).items() for one in versions]
    if name and not found:
        chosen(git, name, version)  # which says what there is
    if not found:
        raise UsageError("releases", "none in this clone", "git fetch --tags, or make release")
    return found


def _report(problems: list[Problem], failures: Failures) -> None:
    """Count each problem as a failure."""
    for each in problems:
        failures.add(VerificationFailed(each.where, each.what, each.fix))
