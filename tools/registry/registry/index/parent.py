"""The release that a dataset is made from, as its ``registry`` stage gets it."""

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
    """The section ``registry``: the dataset that another is made from, and the tag of its release."""

    dataset: str
    version: str
    questions: str = ""  # the dataset whose questions measure the index


@dataclasses.dataclass(frozen=True)
class Parent:
    """What was put there, as ``release.json`` has it; ``sample`` is whether it is synthetic."""

    dataset: str
    version: str
    logical_hash: str
    sample: bool


def read_settings(params: Path) -> ParentSettings:
    """Read the section ``registry`` of a params file. Raises UsageError where it is not as it should be."""
    where = f"{params} registry"
    found = build(ParentSettings, section(params, "registry"), where)
    if not NAME.fullmatch(found.dataset):
        raise UsageError(where, f"dataset {found.dataset!r:.70} is no name", "use small letters, digits and -")
    tag = TAG.fullmatch(found.version)
    if found.version != WORKSPACE and not (tag and tag["name"] == found.dataset):
        fix = f"write a tag, as {found.dataset}-v1.0.0, or {WORKSPACE}"
        raise UsageError(where, f"version {found.version!r:.90} is no release of {found.dataset}", fix)
    return found


def get_parent(params: Path, root: Path, remote: str, out: Path) -> Parent:
    """Put the data of the release that ``params`` names into the folder ``out``, with ``release.json``.

    Raises InputMissing where it is not released, or the working copy not built, UsageError for a working copy that is
    the dataset's own, and what ``get`` does.
    """
    wanted = read_settings(params)
    if wanted.version == WORKSPACE:
        if params.resolve().parent == (root / "data" / wanted.dataset).resolve():  # each build would copy the last
            fix = f"name another dataset, or a release: {wanted.dataset}-v1.0.0"
            raise UsageError(f"{params} registry", "the dataset would be made from its own working copy", fix)
        return _copy(Dataset(wanted.dataset, root / "data" / wanted.dataset), out)
    git = Git(root)
    version = Version.parse(wanted.version.removeprefix(f"{wanted.dataset}-v"))
    release = Release(git, wanted.dataset, version)
    if git.resolve(f"refs/tags/{release.tag}") is None:
        fix = f"make release DS={wanted.dataset} VERSION={version} (or git fetch --tags)"
        raise InputMissing(release.tag, "is not released", fix)
    get(release, open_store(git, "HEAD", remote), out)
    if "sample" not in release.metadata.get("provenance", {}):
        raise VerificationFailed(release.tag, "its metadata.json has no provenance.sample", "release it again")
    return _tell(out, wanted, release.metadata)


def _copy(dataset: Dataset, out: Path) -> Parent:
    """Copy the working copy, as a release of it would be got."""
    if not (dataset.folder / "metadata.json").is_file():
        raise InputMissing(f"data/{dataset.name}", "is not built here", f"make dataset DS={dataset.name}")
    with replacing_folder(out) as folder:
        for path in dataset.outputs():
            target = folder / path.relative_to(dataset.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, target)
    return _tell(out, ParentSettings(dataset.name, WORKSPACE), dataset.metadata("provenance"))


def _tell(out: Path, wanted: ParentSettings, metadata: dict[str, Any]) -> Parent:
    sample = bool(metadata["provenance"]["sample"])
    parent = Parent(wanted.dataset, wanted.version, str(metadata["logical_hash"]), sample)
    with replacing(out / RELEASE) as (temporary,):
        temporary.write_text(json.dumps(dataclasses.asdict(parent), indent=2) + "\n", encoding="utf-8")
    return parent
