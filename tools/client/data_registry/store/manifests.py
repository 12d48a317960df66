"""The sample manifest of a release, ``samples.parquet``: fetched where it is not here, and verified in any case."""

from pathlib import Path

from data_registry.releases.release import Release
from data_registry.stage.errors import StageError, VerificationFailed
from data_registry.store.cache import obtain, user_cache

NAME = "samples.parquet"


def fetch_manifest(release: Release, remote: str = "") -> Path:
    """Return the manifest of a release, from DVC's cache, our own, or a remote (the release's default).

    Raises VerificationFailed for a release without one, or with one that is damaged, and what reading an object raises.
    """
    found = [output for output in release.outputs if output.path == NAME]
    if not has_manifest(release):
        raise VerificationFailed(release.tag, f"{NAME} not found", "release a version that has one: make dataset")
    dvc = release.git.folder / ".dvc"
    folder = dvc / "tmp" / "manifests" if dvc.is_dir() else user_cache() / "manifests"
    path = obtain(release, found[0].md5, folder / f"{found[0].md5}.parquet", remote, found[0].size)
    check(path, VerificationFailed, f"{release.tag} {NAME}", "release it again under another version")
    return path


def has_manifest(release: Release) -> bool:
    """Say whether a release has a manifest at all."""
    return any(output.path == NAME for output in release.outputs)


def check(path: Path, error: type[StageError], where: str, fix: str) -> None:
    """Raise ``error`` for a manifest that is invalid."""
    from data_registry.samples import check_manifest  # lazy, as it imports pyarrow

    try:
        check_manifest(path)
    except ValueError as failure:
        raise error(where, f"invalid: {failure}", fix) from failure


def rows_by_split(manifest: Path) -> dict[str, dict[str, int]]:
    """Return the files of each split, in their order, with the number of rows of each."""
    import pyarrow.parquet as pq  # lazy, as above

    table = pq.read_table(manifest, columns=["split", "file"], read_dictionary=["split", "file"])
    # Each row group of a manifest has a dictionary of its own, and Arrow groups by one alone.
    groups = table.unify_dictionaries().group_by(["split", "file"], use_threads=False).aggregate([([], "count_all")])
    splits: dict[str, dict[str, int]] = {}
    for group in groups.to_pylist():
        splits.setdefault(group["split"], {})[group["file"]] = group["count_all"]
    return splits
