"""The commands that make releases, read them back, repair them, and fetch their data."""

import dataclasses
import logging
from pathlib import Path

import click
from data_registry.clone import repository
from data_registry.git import Git
from data_registry.releases.completeness import ask_origin, find_gaps, report_gaps
from data_registry.releases.lookup import release_at
from data_registry.releases.release import Release
from data_registry.releases.versions import chosen, released
from data_registry.stage.errors import UsageError, VerificationFailed
from data_registry.stage.progress import progress
from data_registry.store.get import chosen_outputs
from data_registry.store.get import get as get_release
from data_registry.store.objects import shown
from data_registry.store.remote import open_store
from data_registry.store.verify import check_origin, size_of
from data_registry.store.verify import verify as verify_release
from launcher.images import refresh_images

from registry.batches import Failures
from registry.datasets import find_datasets
from registry.options import ALL, DATASET, REMOTE, VERSION, flag, option, require
from registry.release.bootstrap import bootstrap as release_all
from registry.release.release import release as make_release
from registry.repair.rebuild import compare, rebuilt
from registry.repair.repair import repair as repair_release
from registry.terminal import amount

log = logging.getLogger(__name__)

NO_COPY = "make push where it was built, or put a copy of the object there by hand"


@click.command()
@DATASET
@option("--version", "VERSION", "The new version, as 1.1.0.")
@option("--bump", "BUMP", "major, minor, patch; auto: major if the schema changed, minor if samples did, else patch.")
@flag("--dry-run", "DRY_RUN", "Only print what would be done.")
@REMOTE
def release(name: str, version: str, bump: str, dry_run: bool, remote: str) -> None:
    """Release DATASET: push its data, read every byte back, then commit and tag in one step.

    Run it again after a failure: it completes the release, or reports that it is complete. Tags never move.

    Example: make release DS=emotion VERSION=1.1.0
    """
    require("make release DS=emotion BUMP=auto", **{"DS": name, "VERSION (or BUMP)": version or bump})
    root = repository()
    (dataset,) = find_datasets(root, name, all_of_them=False)
    done = make_release(dataset, root, remote, version, bump, dry_run)
    if dry_run and done.outcome == "planned":
        click.echo(f"{done.tag}: planned; {done.objects} outputs to push to {done.remote}, nothing done")
        return
    click.echo(f"{done}, all read back")


@click.command()
@flag("--force", "FORCE", "Run stages that are current, too.")
@flag("--with-embeddings", "WITH_EMBEDDINGS", "Build the embeddings, too.")
@REMOTE
def bootstrap(force: bool, with_embeddings: bool, remote: str) -> None:
    """Build every dataset and release it as 1.0.0; existing releases stay.

    Example: ENV=docker make bootstrap
    """
    root = repository()
    refresh_images(root)
    for done in release_all(root, remote, force, with_embeddings):
        click.echo(str(done))


@click.command()
@DATASET
@VERSION
@ALL
@flag("--rebuild", "REBUILD", "Also build it again from its sources with its own tools, and compare.")
@REMOTE
def verify(name: str, version: str, everything: bool, rebuild: bool, remote: str) -> None:
    """Read a release of DATASET back from the remote, every byte, and name what is missing or damaged.

    Example: make verify DS=emotion VERSION=1.1.0
    """
    require("make verify DS=emotion, or make verify ALL=1", DS=name or everything)
    root = repository()
    releases, failures = _releases(root, name, version, everything), Failures()
    of = "" if everything and not name else releases[0].name
    origin = ask_origin(Git(root), of)
    if origin.failure:
        log.warning("the tags are not compared with those of %s: %s", origin.name, origin.failure)
    for line in dataclasses.replace(find_gaps(Git(root), of, origin), moved=(), failure="").lines:
        log.warning("%s", line)
    for release in releases:
        with failures.collected(release.tag * everything):
            problems = check_origin(release, origin)
            store, size = open_store(release.git, "HEAD", remote), size_of(release)
            with progress(f"reading {release.tag} back", size, "bytes") as advance:
                problems += verify_release(release, store, advance)
            outcome = ""
            if rebuild:
                with rebuilt(release, root, remote) as clone:
                    differences, distance = compare(release, clone, remote)
                problems += differences
                outcome = "; the rebuild is identical"
                if distance is not None:
                    outcome += f" but for vectors, which differ by at most {distance:.1e} (1e-6 is allowed)"
            for problem in problems:
                failures.add(VerificationFailed(problem.where, problem.what, problem.fix))
            if not problems:
                click.echo(f"{release.tag}: {amount(size)} on {remote}, all as released{outcome}")
    failures.end()


@click.command()
@DATASET
@VERSION
@ALL
@REMOTE
def repair(name: str, version: str, everything: bool, remote: str) -> None:
    """Replace the missing or damaged objects of a release on the remote, then verify it.

    Copies come from the cache or the working copy; where neither has one, the release is built again.

    Example: make repair DS=emotion VERSION=1.1.0
    """
    require("make repair DS=emotion, or make repair ALL=1", DS=name or everything)
    root = repository()
    failures = Failures()
    for release in _releases(root, name, version, everything):
        with failures.collected(release.tag * everything):
            store, size = open_store(release.git, "HEAD", remote), size_of(release)
            with progress(f"reading {release.tag} back", size, "bytes") as advance:
                done = repair_release(release, root, store, advance)
            for repaired in done.repaired:
                path = shown(f"{release.folder}/{repaired.path}")
                click.echo(f"{release.tag}: {path} was {repaired.what}: replaced from {repaired.source}")
            with progress(f"verifying {release.tag}", size, "bytes") as advance:
                problems = verify_release(release, store, advance)
            lost = {fault.md5 for fault in done.left}
            for problem in problems:
                fix = NO_COPY if lost & set(problem.what.split()) else problem.fix
                failures.add(VerificationFailed(problem.where, problem.what, fix))
            if not problems:
                click.echo(f"{release.tag}: {len(done.repaired)} objects replaced on {remote}, all as released")
    failures.end()


@click.command()
@DATASET
@click.argument("version", envvar="VERSION", default="latest")
@click.argument("out", envvar="OUT", required=False, type=click.Path(file_okay=False, path_type=Path))
@option("--repo url", ["REPO", "DVC_REPO", "DVC_REPO_URL"], "URL of the git repository.  [default: this clone]")
@option("--remote", "DVC_REMOTE", "Name of the DVC remote.  [default: local; with --repo, the default there]")
def get(name: str, version: str, out: Path | None, url: str, remote: str) -> None:
    """Fetch the data of a release of DATASET (VERSION: as 1.1.0, or latest) into the folder OUT, verified.

    Complete files are kept, partial ones resumed.

    Example: make get DS=emotion VERSION=1.1.0 OUT=emotion
    """
    require("make get DS=emotion VERSION=latest OUT=emotion", DS=name, OUT=out)
    out = out or Path()  # for mypy: it is set
    if url:
        with release_at(url, name, version) as release:
            _get(release, out, f"refs/tags/{release.tag}", remote)
    else:
        root = repository()
        report_gaps(Git(root), name.partition("@")[0])  # the latest release may be missing here
        _get(_releases(root, name, version, everything=False)[0], out, "HEAD", remote or "local")


def _get(release: Release, out: Path, revision: str, remote: str) -> None:
    store = open_store(release.git, revision, remote, release.source)
    size = sum(output.size for output in chosen_outputs(release))
    with progress(f"getting {release.tag}", size, "bytes") as advance:
        got = get_release(release, store, out, advance)
    click.echo(f"{got.tag}: {got.files} of {got.files} files ({amount(size)}) in {out} verified, {got.fetched} fetched")


def _releases(root: Path, name: str, version: str, everything: bool) -> list[Release]:
    """Return the chosen releases: one by ``emotion`` and a version, or ``emotion@1.1.0``; or all."""
    git = Git(root)
    if not everything:
        name, _, number = name.partition("@")
        return [Release(git, name, chosen(git, name, number or version))]
    releases = [Release(git, other, number) for other, numbers in released(git, name).items() for number in numbers]
    if name and not releases:
        chosen(git, name, version)  # raises with the known releases
    if not releases:
        raise UsageError("releases", "none in this clone", "git fetch --tags, or make release")
    return releases
