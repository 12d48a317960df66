"""The datasets of the repository: folders of data/ with a dvc.yaml."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_registry.documents import Locked, read_lock, read_metadata, read_stages
from data_registry.git import Git
from data_registry.releases.versions import NAME
from data_registry.stage.errors import CorruptFile, InputMissing, ReleaseRefused, StageError, UsageError
from data_registry.stage.foreign import read_bytes, read_yaml
from data_registry.store.manifests import NAME as MANIFEST
from data_registry.store.manifests import check

WORKSPACE = "workspace"  # instead of the tag of a parent: its working copy, for trials
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
        """The tag of the release that the dataset is made from, or ``workspace``; empty for one with sources."""
        return str(self.params().get("registry", {}).get("version", ""))

    def params(self) -> dict[str, Any]:
        """Return params.yaml; empty if it is missing. Raises UsageError for an invalid one."""
        path = self.folder / "params.yaml"
        if not path.exists():
            return {}
        content = read_bytes(path, error=UsageError)
        return read_yaml(content, path, (PARAMS, None), UsageError, "correct the file") or {}

    def metadata(self, *sections: str) -> dict[str, Any]:
        """Return metadata.json. Raises CorruptFile for an invalid file, or one without these sections."""
        path = self.folder / "metadata.json"
        fix = f"make dataset DS={self.name}"
        metadata = read_metadata(read_bytes(path), str(path), CorruptFile, fix)
        missing = [section for section in sections if section not in metadata]
        if "provenance" in sections and "sample" not in metadata.get("provenance", {}):
            missing.append("provenance.sample")
        if missing:
            raise CorruptFile(path, f"{missing[0]} not found", fix)
        return metadata

    def locked(self, error: type[StageError] = CorruptFile) -> dict[str, list[Locked]]:
        """Return the outputs of each stage by dvc.lock; empty if the file is missing or empty.

        Raises ``error`` for an invalid file.
        """
        path = self.folder / "dvc.lock"
        content = read_bytes(path, error=error) if path.exists() else b""
        return read_lock(content, str(path), error, f"make dataset DS={self.name}") if content else {}

    def outputs(self) -> list[Path]:
        """Return the paths of the outputs by dvc.lock, in order. Raises CorruptFile."""
        return [self.folder / output.path for outputs in self.locked().values() for output in outputs]

    def stages(self) -> list[str]:
        """Return the names of the stages. Raises UsageError for an invalid dvc.yaml."""
        content = read_bytes(self.pipeline, error=UsageError)
        return read_stages(content, str(self.pipeline), UsageError, "correct the file")

    def check_lock(self) -> None:
        """Raise ReleaseRefused unless dvc.lock has every stage of dvc.yaml: a truncated file is still valid YAML."""
        lock = self.folder / "dvc.lock"
        if missing := sorted(set(self.stages()) - set(self.locked(ReleaseRefused))):
            raise ReleaseRefused(lock, f"stage {missing[0]} not found", f"make dataset DS={self.name}")


def find_datasets(root: Path, name: str, all_of_them: bool = True) -> list[Dataset]:
    """Return the named dataset, or with ``all`` every one (if ``all_of_them``), parents first.

    Raises UsageError for an unknown name.
    """
    known = {path.parent.name: Dataset(path.parent.name, path.parent) for path in sorted(root.glob("data/*/dvc.yaml"))}
    if name == "all" and all_of_them:
        return sorted(known.values(), key=_has_parent)
    if not NAME.fullmatch(name) or name not in known:
        what = f"unknown dataset {name!r:.70}" if name else "not set"
        raise UsageError("DS", what, f"use one of: {', '.join(known)}{', all' * all_of_them}")
    return [known[name]]


def _has_parent(dataset: Dataset) -> tuple[bool, str]:
    """Return a sort key: datasets with a parent, or an invalid params.yaml, come last."""
    try:
        return bool(dataset.parent), dataset.name
    except UsageError:
        return True, dataset.name


def features_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns in the schema of metadata.json, the target last."""
    schema = metadata.get("schema", {})
    target = schema.get("target")
    return {**schema.get("features", {}), **({target["name"]: target} if target else {})}


def waiting_for(dataset: Dataset, git: Git) -> str:
    """Return the tag of a dataset's parent if this clone does not have it, else nothing."""
    tag = dataset.parent
    return "" if tag in {"", WORKSPACE} or git.resolve(f"refs/tags/{tag}") else tag


def built_manifest(dataset: Dataset) -> Path:
    """Return the manifest of the working copy. Raises InputMissing if it is not built, CorruptFile if it is damaged."""
    path = dataset.folder / MANIFEST
    if not path.is_file() or not (dataset.folder / "metadata.json").is_file():
        raise InputMissing(f"data/{dataset.name}", "not built", f"make dataset DS={dataset.name}, or make pull")
    check(path, CorruptFile, f"data/{dataset.name}/{MANIFEST}", f"remove it, then make dataset DS={dataset.name}")
    return path
