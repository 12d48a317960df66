"""The sample manifest of a release, ``samples.parquet``: fetched where it is not here, and verified in any case."""

from pathlib import Path

from data_registry.releases.registries import user_cache
from data_registry.releases.release import Release
from data_registry.stage.errors import StageError, VerificationFailed
from data_registry.stage.output import replacing
from data_registry.store.objects import copy_object, has_bytes
from data_registry.store.opening import open_store

NAME = "samples.parquet"


def fetch_manifest(release: Release, remote: str = "") -> Path:
    """Return the manifest of a release, from DVC's cache, our own, or a remote (the release's default).

    Raises VerificationFailed for a release without one, or with one that is damaged, and what reading an object raises.
    """
    found = [output for output in release.outputs if output.path == NAME]
    if not has_manifest(release):
        raise VerificationFailed(release.tag, f"has no {NAME}", "release a version that has one: make dataset")
    dvc = release.git.folder / ".dvc"
    folder = dvc / "tmp" / "manifests" if dvc.is_dir() else user_cache() / "manifests"
    path = obtain(release, found[0].md5, folder / f"{found[0].md5}.parquet", remote, found[0].size)
    check(path, VerificationFailed, f"{release.tag} {NAME}", "release it again under another version")
    return path


def has_manifest(release: Release) -> bool:
    """Say whether a release has a manifest at all."""
    return any(output.path == NAME for output in release.outputs)


def obtain(release: Release, md5: str, target: Path, remote: str = "", limit: int | None = None) -> Path:
    """Return a file that has the bytes of an object: in DVC's cache, or ``target``, fetched unless it has them.

    The object has at most ``limit`` bytes.

    Raises Absent, NetworkFailed, SourceRefused or ChecksumMismatch.
    """
    for path in (release.git.folder / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:], target):
        if has_bytes(path, md5):
            return path
    store = open_store(release.git, release.commit or f"refs/tags/{release.tag}", remote, release.source)
    with replacing(target) as (temporary,), temporary.open("wb") as file:
        copy_object(store, md5, file.write, limit=limit)
    return target


def check(path: Path, error: type[StageError], where: str, fix: str) -> None:
    """Raise ``error`` for a manifest that is invalid."""
    from data_registry.samples import check_manifest  # lazy, as it imports pyarrow

    try:
        check_manifest(path)
    except ValueError as failure:
        raise error(where, f"invalid: {failure}", fix) from failure
