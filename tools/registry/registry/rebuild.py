"""Build a release again, from its pinned sources and with its own tools, in a clone that is thrown away."""

import configparser
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from stage.errors import StageError

from registry.git import Git
from registry.releases import Release
from registry.store import dvc_config
from registry.verify import Problem

SCRATCH = Path(".local") / "scratch"
BUILT = ("dvc.lock", "metadata.json")  # what a build writes, beside the other outputs
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
        quiet = ("-c", "advice.detachedHead=false")
        release.git(*quiet, "clone", "-q", "--branch", release.tag, "--", str(root), str(clone))
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


def differences(release: Release, clone: Path) -> list[Problem]:
    """Return in what a build differs from the release: its outputs, by hash, and what is known of them."""
    folder = clone / release.folder
    locked = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    built = {out["path"]: str(out["md5"]) for stage in locked.values() for out in stage["outs"]}
    wanted = {output.path: output.md5 for output in release.outputs}
    fix = "see in what they differ; the release stays as it is"
    problems = [
        Problem(
            f"{release.tag} {release.folder}/{path}",
            f"built again it is {built.get(path, 'not there')}, and not {wanted.get(path, 'there')}",
            fix,
        )
        for path in sorted({*wanted, *built})
        if wanted.get(path) != built.get(path)
    ]
    metadata = (folder / "metadata.json").read_bytes()
    if metadata != release.read("metadata.json") and not any("metadata.json:" in str(each) for each in problems):
        digest = hashlib.md5(metadata, usedforsecurity=False).hexdigest()
        problems.append(Problem(f"{release.tag} {release.folder}/metadata.json", f"built again it is {digest}", fix))
    return problems


@contextlib.contextmanager
def scratch_folder(root: Path, name: str) -> Iterator[Path]:
    """Yield a folder in the repository, where containers can see it, that is removed at the end.

    It is locked meanwhile, so that ``registry doctor`` can tell what a killed run has left.
    """
    (root / SCRATCH).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root / SCRATCH))
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def _write_settings(release: Release, root: Path, clone: Path) -> None:
    """Give the clone a cache of its own, lest DVC take what it has from there, and the remotes of this one."""
    config = dvc_config(Git(root), release.tag)
    settings = configparser.ConfigParser(interpolation=None)
    if (root / ".dvc" / "config.local").is_file():
        settings.read(root / ".dvc" / "config.local", encoding="utf-8")
    for section in config.sections():
        url = config.get(section, "url", fallback="")
        if url and not urlsplit(url).scheme:
            settings.read_dict({section: {"url": str((root / ".dvc" / url).resolve())}})
    settings.read_dict({"cache": {"dir": str(clone / ".dvc" / "cache")}})
    with (clone / ".dvc" / "config.local").open("w", encoding="utf-8") as file:
        settings.write(file)


def _environment(root: Path, clone: Path) -> dict[str, str]:
    """Return what the build finds in its environment: virtual environments that fit are used again."""
    environ = {name: value for name, value in os.environ.items() if name not in DROPPED}
    environ["SOURCE"] = "upstream"
    mirror = environ.get("FETCH_MIRROR", "")
    if mirror and "://" not in mirror:
        environ["FETCH_MIRROR"] = str((root / mirror).resolve())
    if _locks(root) == _locks(clone):
        return {**environ, "REGISTRY_ENVS": environ.get("REGISTRY_ENVS", str(root / ".venvs"))}
    environ["REGISTRY_ENVS"] = str(clone / ".venvs")
    return environ


def _locks(root: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in sorted((root / "tools").glob("*/requirements.lock"))}
