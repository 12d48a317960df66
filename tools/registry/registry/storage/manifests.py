"""The sample manifest of a release, ``samples.parquet``: fetched where it is not here, and verified in any case."""

from pathlib import Path

from stage.errors import CorruptFile, InputMissing, StageError, VerificationFailed
from stage.output import replacing

from registry.datasets import Dataset
from registry.releasing.registries import user_cache
from registry.releasing.releases import Release
from registry.storage.objects import copy_object, has_bytes
from registry.storage.store import open_store

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
    _check(path, VerificationFailed, f"{release.tag} {NAME}", "release it again under another version")
    return path


def has_manifest(release: Release) -> bool:
    """Say whether a release has a manifest at all."""
    return any(output.path == NAME for output in release.outputs)


def built_manifest(dataset: Dataset) -> Path:
    """Return the manifest of the working copy. Raises InputMissing where it is not built, CorruptFile where damaged."""
    path = dataset.folder / NAME
    if not path.is_file() or not (dataset.folder / "metadata.json").is_file():
        raise InputMissing(f"data/{dataset.name}", "is not built here", f"make dataset DS={dataset.name}, or make pull")
    _check(path, CorruptFile, f"data/{dataset.name}/{NAME}", f"remove it, then make dataset DS={dataset.name}")
    return path


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


def _check(path: Path, error: type[StageError], where: str, fix: str) -> None:
    from samples import check_manifest  # lazy, as it imports pyarrow

    try:
        check_manifest(path)
    except ValueError as failure:
        raise error(where, f"invalid: {failure}", fix) from failure
