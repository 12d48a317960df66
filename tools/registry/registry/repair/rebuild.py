"""Build a release again, from its pinned sources and with its own tools, in a temporary clone."""

import contextlib
import dataclasses
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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

from registry.build.temporary import scratch_folder

METADATA, EMBEDDINGS = "metadata.json", "embeddings.parquet"
WITH_VECTORS = {EMBEDDINGS, "samples.parquet", "receipt.json", METADATA}  # hold vectors, or a hash of them
BUILT = ("dvc.lock", METADATA)  # written by a build, beside the outputs
FIX = "compare the two; the release stays as it is"
# Variables for this run alone, not for the one in the clone.
DROPPED = {"REGISTRY_ROOT", "DS", "VERSION", "ALL", "REBUILD", "OUT", "DVC_SITE_CACHE_DIR"}
DROPPED |= {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "GNUMAKEFLAGS"}


@contextlib.contextmanager
def rebuilt(release: Release, root: Path) -> Iterator[Path]:
    """Yield a clone at the release's tag in which the dataset was built from its sources; remove it at the end.

    Raises ChildFailed.
    """
    with scratch_folder(root, release.tag) as folder:
        clone = folder / "clone"
        release.git("clone", "-q", "--no-checkout", "--", str(root), str(clone))
        Git(clone)("checkout", "-q", "--detach", f"refs/tags/{release.tag}")
        _write_settings(release, root, clone)
        for name in {*BUILT, *(output.path for output in release.outputs if output.in_git)}:
            (clone / release.folder / name).unlink(missing_ok=True)  # or DVC would find them up to date
        done = subprocess.run(
            [str(clone / "tools" / "run"), "registry", "dataset", release.name],
            cwd=clone,
            env=_environment(root, clone),
            stdout=2,  # stderr: stdout is for the outcome
        )
        if done.returncode:
            raise ChildFailed(release.tag, "the rebuild", done.returncode)
        yield clone


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What differs between a build and its release, and by how much their vectors do, where they do."""

    problems: list[Problem]
    distance: float | None = None


def compare(release: Release, clone: Path, remote: str) -> Comparison:
    """Compare the outputs and metadata of a build with the release: by hash, vectors by tolerance."""
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
        from registry.repair.vectors import compare as compare_vectors  # lazy: loads pyarrow

        released = obtain(release, wanted[EMBEDDINGS], clone / ".dvc" / "tmp" / EMBEDDINGS, remote)
        vectors = compare_vectors(released, folder / EMBEDDINGS)
        rebuilt_metadata = read_metadata(metadata, f"{where}/{METADATA}", CorruptFile, FIX)
        if vectors.agree and _without_bytes(rebuilt_metadata) == _without_bytes(release.metadata):
            distance = vectors.distance
            differing = [path for path in differing if path not in WITH_VECTORS]
    return Comparison(
        [
            Problem(
                f"{release.tag} {release.folder}/{path}",
                f"the rebuild has {built.get(path, 'no such file')}, the release {wanted.get(path, 'no such file')}",
                FIX,
            )
            for path in differing
        ],
        distance,
    )


def _without_bytes(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of embedded chunks without the hashes that depend on the last digits of vectors."""
    return {name: value for name, value in metadata.items() if name not in {"files", "index"}}


def _write_settings(release: Release, root: Path, clone: Path) -> None:
    """Give the clone an empty cache, so that DVC builds everything, and the remotes of this clone."""
    from configobj import ConfigObj  # lazy: only for a rebuild

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
