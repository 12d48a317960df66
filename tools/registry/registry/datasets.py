"""The datasets of the repository: folders of data/ that have a dvc.yaml."""

import dataclasses
from pathlib import Path
from typing import Any

from data_registry.documents import Locked, read_lock, read_metadata, read_stages
from data_registry.git import Git
from data_registry.releases.versions import NAME
from data_registry.stage.errors import CorruptFile, InputMissing, ReleaseRefused, StageError, UsageError
from data_registry.stage.foreign import read_bytes, read_yaml
from data_registry.store.manifests import NAME as MANIFEST
from data_registry.store.manifests import check

WORKSPACE = "workspace"  # instead of the tag of a parent: its working copy, for trying things out
PARAMS = {"registry?": {"dataset?": str, "version?": (str, float)}, "dataset?": (dict, None), str: object}


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A dataset's folder."""

    name: str
    folder: Path

    @property
    def pipeline(self) -> Path:
        return self.folder / "dvc.yaml"

    @property
    def sample_sources(self) -> Path:
        """The sources.csv of the bundled synthetic sample."""
        return self.folder / "sample" / "sources.csv"

    @property
    def parent(self) -> str:
        """The tag of the release that the dataset is made from, or ``workspace``; empty where it has sources."""
        return str(self.params().get("registry", {}).get("version", ""))

    def params(self) -> dict[str, Any]:
        """Return params.yaml; nothing where there is none. Raises UsageError for one that is invalid."""
        path = self.folder / "params.yaml"
        if not path.exists():
            return {}
        content = read_bytes(path, error=UsageError)
        return read_yaml(content, path, (PARAMS, None), UsageError, "correct the file") or {}

    def metadata(self, *sections: str) -> dict[str, Any]:
        """Return what stats has found. Raises CorruptFile for an invalid file, and one that lacks a section."""
        path = self.folder / "metadata.json"
        fix = f"make dataset DS={self.name}"
        found = read_metadata(read_bytes(path), str(path), CorruptFile, fix)
        missing = [each for each in sections if each not in found]
        if "provenance" in sections and "sample" not in found.get("provenance", {}):
            missing.append("provenance.sample")
        if missing:
            raise CorruptFile(path, f"invalid: {missing[0]} is missing", fix)
        return found

    def locked(self, error: type[StageError] = CorruptFile) -> dict[str, list[Locked]]:
        """Return what dvc.lock says that each stage has made; nothing where there is none or an empty one.

        Raises ``error`` for an invalid file.
        """
        path = self.folder / "dvc.lock"
        content = read_bytes(path, error=error) if path.exists() else b""
        return read_lock(content, str(path), error, f"make dataset DS={self.name}") if content else {}

    def outputs(self) -> list[Path]:
        """Return the paths that dvc.lock says the stages have made, in order. Raises CorruptFile."""
        return [self.folder / output.path for outputs in self.locked().values() for output in outputs]

    def stages(self) -> list[str]:
        """Return the names of the stages. Raises UsageError for an invalid dvc.yaml."""
        content = read_bytes(self.pipeline, error=UsageError)
        return read_stages(content, str(self.pipeline), UsageError, "correct the file")

    def check_lock(self) -> None:
        """Raise ReleaseRefused unless dvc.lock has every stage of dvc.yaml: a cut file is still valid YAML."""
        lock = self.folder / "dvc.lock"
        if missing := sorted(set(self.stages()) - set(self.locked(ReleaseRefused))):
            raise ReleaseRefused(lock, f"stage {missing[0]} is missing", f"make dataset DS={self.name}")


def find_datasets(root: Path, name: str, all_of_them: bool = True) -> list[Dataset]:
    """Return the dataset of that name, or every one for ``all``, where that makes sense: parents first.

    Raises UsageError for a name that is none.
    """
    known = {path.parent.name: Dataset(path.parent.name, path.parent) for path in sorted(root.glob("data/*/dvc.yaml"))}
    if name == "all" and all_of_them:
        return sorted(known.values(), key=_has_parent)
    if not NAME.fullmatch(name) or name not in known:
        what = f"no dataset {name!r}" if name else "is missing"
        raise UsageError("DS", what, f"use one of: {', '.join(known)}{', all' * all_of_them}")
    return [known[name]]


def _has_parent(dataset: Dataset) -> tuple[bool, str]:
    """Say where a dataset is among all: one whose params.yaml is invalid is last, and says so when it is built."""
    try:
        return bool(dataset.parent), dataset.name
    except UsageError:
        return True, dataset.name


def waiting_for(dataset: Dataset, git: Git) -> str:
    """Return the tag of the release that a dataset is made from, where this clone does not have it; or nothing."""
    tag = dataset.parent
    return "" if tag in {"", WORKSPACE} or git.resolve(f"refs/tags/{tag}") else tag


def built_manifest(dataset: Dataset) -> Path:
    """Return the manifest of the working copy. Raises InputMissing where it is not built, CorruptFile where damaged."""
    path = dataset.folder / MANIFEST
    if not path.is_file() or not (dataset.folder / "metadata.json").is_file():
        raise InputMissing(f"data/{dataset.name}", "is not built here", f"make dataset DS={dataset.name}, or make pull")
    check(path, CorruptFile, f"data/{dataset.name}/{MANIFEST}", f"remove it, then make dataset DS={dataset.name}")
    return path
