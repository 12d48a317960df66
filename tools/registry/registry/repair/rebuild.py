"""Build a release again, from its pinned sources and with its own tools, in a temporary clone."""

import contextlib
import hashlib
import logging
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from configobj import ConfigObj
from data_registry.documents import read_lock, read_metadata
from data_registry.git import Git
from data_registry.git_settings import elsewhere
from data_registry.releases.release import Release
from data_registry.stage.errors import ChildFailed, CorruptFile
from data_registry.stage.foreign import read_bytes
from data_registry.store.cache import obtain
from data_registry.store.dvc_config import read_config
from data_registry.store.verify import Problem
from launcher.virtualenvs import environments

from registry.build.copies import NO_ANSWER, store_copies
from registry.build.local_files import STORAGE
from registry.build.scratch import scratch_folder
from registry.build.source_list import SOURCES, read_rows
from registry.datasets import Dataset

log = logging.getLogger(__name__)

METADATA, EMBEDDINGS = "metadata.json", "embeddings.parquet"
WITH_VECTORS = {EMBEDDINGS, "samples.parquet", "receipt.json", METADATA}  # hold vectors, or a hash of them
BUILT = ("dvc.lock", METADATA)  # written by a build, beside the outputs
FIX = "compare the two; the release stays as it is"
# Variables for this run alone, not for the one in the clone.
DROPPED = {"REGISTRY_ROOT", "DS", "VERSION", "ALL", "REBUILD", "OUT", "DVC_SITE_CACHE_DIR"}
DROPPED |= {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "GNUMAKEFLAGS"}


@contextlib.contextmanager
def rebuilt(release: Release, root: Path, remote: str = "") -> Iterator[Path]:
    """Yield a clone at the release's tag in which the dataset was built from its sources; remove it at the end.

    Raw files that no source sends are taken from the ``remote``, if one is given: by the tools of the release or, as
    older ones cannot, by this one for their mirror. Raises ChildFailed.
    """
    with scratch_folder(root, release.tag) as folder:
        clone = folder / "clone"
        release.git("clone", "-q", "--no-checkout", "--", str(root), str(clone))
        Git(clone)("checkout", "-q", "--detach", f"refs/tags/{release.tag}")
        _write_settings(release, root, clone)
        for name in {*BUILT, *(output.path for output in release.outputs if output.in_git)}:
            (clone / release.folder / name).unlink(missing_ok=True)  # or DVC would find them up to date
        environ = _environment(root, clone) | ({"DVC_REMOTE": remote} if remote else {})
        code = _build(release, clone, environ)
        if code in NO_ANSWER and remote and _mirror(release, clone, remote):
            code = _build(release, clone, {**environ, "FETCH_MIRROR": str(clone / release.folder / STORAGE)})
        if code:
            raise ChildFailed(release.tag, "the rebuild", code)
        yield clone


def _build(release: Release, clone: Path, environ: Mapping[str, str]) -> int:
    command = [str(clone / "tools" / "run"), "registry", "dataset", release.name]
    return subprocess.run(command, cwd=clone, env=environ, stdout=2).returncode  # stdout is for the outcome


def _mirror(release: Release, clone: Path, remote: str) -> bool:
    """Store the pinned raw files of a release that the remote has; say whether there are any."""
    rows = read_rows(release.find(SOURCES) or b"")
    copied = store_copies(Dataset(release.name, clone / release.folder), clone, remote, rows)
    if copied.rows:
        log.warning("%s: no source answered; %s", release.tag, copied)
    return bool(copied.rows)


def compare(release: Release, clone: Path, remote: str) -> tuple[list[Problem], float | None]:
    """Compare the outputs and metadata of a build with the release: by hash, vectors by tolerance.

    Return what differs, and the largest difference between vectors where these differ and the rest agrees.
    """
    folder = clone / release.folder
    where = f"rebuild of {release.tag}, {release.folder}"
    locked = read_lock(read_bytes(folder / "dvc.lock"), f"{where}/dvc.lock", CorruptFile, FIX)
    built = {out.path: out.md5 for stage in locked.values() for out in stage}
    wanted = {output.path: output.md5 for output in release.outputs}
    differing = [path for path in sorted({*wanted, *built}) if wanted.get(path) != built.get(path)]
    metadata = read_bytes(folder / METADATA)
    if metadata != release.read(METADATA) and METADATA not in differing:
        differing.append(METADATA)
        built[METADATA] = hashlib.md5(metadata, usedforsecurity=False).hexdigest()
    distance = None
    if EMBEDDINGS in differing and EMBEDDINGS in wanted and (folder / EMBEDDINGS).is_file():
        from registry.repair.vectors import TOLERANCE, distance_between  # lazy: loads pyarrow

        released = obtain(release, wanted[EMBEDDINGS], clone / ".dvc" / "tmp" / EMBEDDINGS, remote)
        gap = distance_between(released, folder / EMBEDDINGS)
        rebuilt_metadata = read_metadata(metadata, f"{where}/{METADATA}", CorruptFile, FIX)
        if gap <= TOLERANCE and _without_bytes(rebuilt_metadata) == _without_bytes(release.metadata):
            distance = gap
            differing = [path for path in differing if path not in WITH_VECTORS]
    problems = []
    for path in differing:
        here, there = built.get(path, "no such file"), wanted.get(path, "no such file")
        what = f"the rebuild has {here}, the release {there}"
        problems.append(Problem(f"{release.tag} {release.folder}/{path}", what, FIX))
    return problems, distance


def _without_bytes(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of embedded chunks without the hashes that depend on the last digits of vectors."""
    return {name: value for name, value in metadata.items() if name not in {"files", "index"}}


def _write_settings(release: Release, root: Path, clone: Path) -> None:
    """Give the clone an empty cache, so that DVC builds everything, and the remotes of this clone."""
    remotes = read_config(Git(root), f"refs/tags/{release.tag}").remotes
    settings = {f'remote "{name}"': section for name, section in remotes.items()}
    settings["cache"] = {"dir": str(clone / ".dvc" / "cache")}
    with (clone / ".dvc" / "config.local").open("wb") as file:
        ConfigObj(settings, encoding="utf-8").write(file)


def _environment(root: Path, clone: Path) -> dict[str, str]:
    """Return the variables of the build, which uses this clone's virtual environments if the locks are the same."""
    environ = {name: value for name, value in elsewhere(os.environ).items() if name not in DROPPED}
    environ["SOURCE"] = "upstream"
    mirror = environ.get("FETCH_MIRROR", "")
    if mirror and "://" not in mirror:
        environ["FETCH_MIRROR"] = str((root / mirror).resolve())
    if _locks(root) == _locks(clone):
        return {**environ, "REGISTRY_ENVS": str(environments(root))}
    environ["REGISTRY_ENVS"] = str(clone / ".venvs")
    return environ


def _locks(root: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in sorted((root / "tools").glob("*/requirements.lock"))}
