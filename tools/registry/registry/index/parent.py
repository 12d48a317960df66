"""Fetch the release that a dataset is made from: the stage ``registry``."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.releases.versions import NAME, TAG, Version
from data_registry.stage.errors import InputMissing, UsageError, VerificationFailed
from data_registry.stage.output import replacing, replacing_folder
from data_registry.stage.params import build, section
from data_registry.store.get import get
from data_registry.store.remote import open_store

from registry.datasets import WORKSPACE, Dataset

RELEASE = "release.json"


@dataclasses.dataclass(frozen=True)
class ParentSettings:
    """The section ``registry``: the parent dataset, and the tag of its release."""

    dataset: str
    version: str
    questions: str = ""  # the dataset whose questions measure the index


@dataclasses.dataclass(frozen=True)
class Parent:
    """The fetched release, as written to ``release.json``; ``sample`` says whether it is synthetic."""

    dataset: str
    version: str
    logical_hash: str
    sample: bool


def read_settings(params: Path) -> ParentSettings:
    """Read the section ``registry`` of a params file. Raises UsageError for an invalid one."""
    where = f"{params} registry"
    settings = build(ParentSettings, section(params, "registry"), where)
    if not NAME.fullmatch(settings.dataset):
        raise UsageError(where, f"invalid dataset name {settings.dataset!r:.70}", "use a-z, 0-9 and -")
    tag = TAG.fullmatch(settings.version)
    if settings.version != WORKSPACE and not (tag and tag["name"] == settings.dataset):
        fix = f"use a tag, as {settings.dataset}-v1.0.0, or {WORKSPACE}"
        raise UsageError(where, f"version {settings.version!r:.90} is not a release of {settings.dataset}", fix)
    return settings


def get_parent(params: Path, root: Path, remote: str, out: Path) -> Parent:
    """Put the data of the release that ``params`` names into the folder ``out``, with ``release.json``.

    Raises InputMissing for a tag that is not here or a working copy that is not built, UsageError where that is the
    dataset's own, and what ``get`` raises.
    """
    wanted = read_settings(params)
    if wanted.version == WORKSPACE:
        if params.resolve().parent == (root / "data" / wanted.dataset).resolve():  # which each build would nest
            fix = f"name another dataset, or a release: {wanted.dataset}-v1.0.0"
            raise UsageError(f"{params} registry", "the dataset is its own parent", fix)
        return _copy(Dataset(wanted.dataset, root / "data" / wanted.dataset), out)
    git = Git(root)
    version = Version.parse(wanted.version.removeprefix(f"{wanted.dataset}-v"))
    release = Release(git, wanted.dataset, version)
    if git.resolve(f"refs/tags/{release.tag}") is None:
        fix = f"make release DS={wanted.dataset} VERSION={version} (or git fetch --tags)"
        raise InputMissing(release.tag, "not released", fix)
    get(release, open_store(git, "HEAD", remote), out)
    if "sample" not in release.metadata.get("provenance", {}):
        raise VerificationFailed(release.tag, "provenance.sample not found in its metadata.json", "release it again")
    return _write_parent(out, wanted, release.metadata)


def _copy(dataset: Dataset, out: Path) -> Parent:
    """Copy the files of the working copy that a release of it would have."""
    if not (dataset.folder / "metadata.json").is_file():
        raise InputMissing(f"data/{dataset.name}", "not built", f"make dataset DS={dataset.name}")
    with replacing_folder(out) as folder:
        for path in dataset.outputs():
            target = folder / path.relative_to(dataset.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, target)
    return _write_parent(out, ParentSettings(dataset.name, WORKSPACE), dataset.metadata("provenance"))


def _write_parent(out: Path, wanted: ParentSettings, metadata: dict[str, Any]) -> Parent:
    sample = bool(metadata["provenance"]["sample"])
    parent = Parent(wanted.dataset, wanted.version, str(metadata["logical_hash"]), sample)
    with replacing(out / RELEASE) as (temporary,):
        temporary.write_text(json.dumps(dataclasses.asdict(parent), indent=2) + "\n", encoding="utf-8")
    return parent
