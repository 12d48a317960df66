"""Build a release again, from its pinned sources and with its own tools, in a clone that is thrown away."""

import contextlib
import dataclasses
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_registry.documents import read_lock, read_metadata
from data_registry.git import Git
from data_registry.git_settings import elsewhere
from data_registry.releases.release import Release
from data_registry.stage.errors import CorruptFile, StageError
from data_registry.stage.foreign import read_bytes
from data_registry.store.cache import obtain
from data_registry.store.dvc_config import read_config
from data_registry.store.verify import Problem
from launcher.virtualenvs import environments

from registry.build.temporary import scratch_folder

METADATA, EMBEDDINGS = "metadata.json", "embeddings.parquet"
WITH_VECTORS = {EMBEDDINGS, "samples.parquet", "receipt.json", METADATA}  # the last digits of vectors, or their hash
BUILT = ("dvc.lock", METADATA)  # what a build writes, beside the other outputs
FIX = "see in what they differ; the release stays as it is"
# What is said to this run, and not to that of the clone.
DROPPED = {"REGISTRY_ROOT", "DS", "VERSION", "ALL", "REBUILD", "OUT", "DVC_SITE_CACHE_DIR"}
DROPPED |= {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "GNUMAKEFLAGS"}


class RebuildFailed(StageError):
    """The build ended with an exit code of its own, which is passed on."""

    def __init__(self, release: Release, code: int) -> None:
        self.code = code
        super().__init__(release.tag, f"building it again failed with exit {code}", "see its error line above")


@contextlib.contextmanager
def rebuilt(release: Release, root: Path) -> Iterator[Path]:
    """Yield a clone at the release's tag in which the dataset was built from its sources; it is removed at the end.

    Raises RebuildFailed.
    """
    with scratch_folder(root, release.tag) as folder:
        clone = folder / "clone"
        release.git("clone", "-q", "--no-checkout", "--", str(root), str(clone))
        Git(clone)("checkout", "-q", "--detach", f"refs/tags/{release.tag}")
        _write_settings(release, root, clone)
        for name in {*BUILT, *(output.path for output in release.outputs if output.in_git)}:
            (clone / release.folder / name).unlink(missing_ok=True)  # or DVC would find them as they should be
        done = subprocess.run(
            [str(clone / "tools" / "run"), "registry", "dataset", release.name],
            cwd=clone,
            env=_environment(root, clone),
            stdout=sys.stderr,
        )
        if done.returncode:
            raise RebuildFailed(release, done.returncode if done.returncode > 0 else 128 - done.returncode)
        yield clone


@dataclasses.dataclass(frozen=True)
class Comparison:
    """In what a build differs from the release, and how far apart their vectors are where these are not the same."""

    problems: list[Problem]
    distance: float | None = None


def compare(release: Release, clone: Path, remote: str) -> Comparison:
    """Compare a build with the release: its outputs, by hash, and what is known of them; vectors by tolerance."""
    folder = clone / release.folder
    where = f"{release.tag}, built again, {release.folder}"
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
        from registry.repair.vectors import compare as compare_vectors  # lazy, as it imports pyarrow

        released = obtain(release, wanted[EMBEDDINGS], clone / ".dvc" / "tmp" / EMBEDDINGS, remote)
        vectors = compare_vectors(released, folder / EMBEDDINGS)
        made = read_metadata(metadata, f"{where}/{METADATA}", CorruptFile, FIX)
        if vectors.agree and _without_bytes(made) == _without_bytes(release.metadata):
            distance = vectors.distance
            differing = [path for path in differing if path not in WITH_VECTORS]
    return Comparison(
        [
            Problem(
                f"{release.tag} {release.folder}/{path}",
                f"built again it is {built.get(path, 'not there')}, and not {wanted.get(path, 'there')}",
                FIX,
            )
            for path in differing
        ],
        distance,
    )


def _without_bytes(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of embedded chunks, without the hashes that hang on the last digits of a vector."""
    return {name: value for name, value in metadata.items() if name not in {"files", "index"}}


def _write_settings(release: Release, root: Path, clone: Path) -> None:
    """Give the clone a cache of its own, lest DVC take what it has from there, and the remotes of this one."""
    from configobj import ConfigObj  # lazy: it comes with DVC, whose files these are

    remotes = read_config(Git(root), f"refs/tags/{release.tag}").remotes
    settings = {f'remote "{name}"': section for name, section in remotes.items()}
    settings["cache"] = {"dir": str(clone / ".dvc" / "cache")}
    with (clone / ".dvc" / "config.local").open("wb") as file:
        ConfigObj(settings, encoding="utf-8").write(file)


def _environment(root: Path, clone: Path) -> dict[str, str]:
    """Return what the build finds in its environment: virtual environments that fit are used again."""
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
