"""The datasets of the repository: folders of data/ that have a dvc.yaml."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import yaml
from stage.errors import ReleaseRefused, UsageError

from registry.git import Git

WORKSPACE = "workspace"  # instead of the tag of a parent: its working copy, for trying things out
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


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
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
        return str((params or {}).get("registry", {}).get("version", ""))

    def metadata(self) -> dict[str, Any]:
        """Return what stats has found."""
        found: dict[str, Any] = json.loads((self.folder / "metadata.json").read_text(encoding="utf-8"))
        return found

    def outputs(self) -> list[Path]:
        """Return the paths that dvc.lock says the stages have made, in order."""
        lock = yaml.safe_load((self.folder / "dvc.lock").read_text(encoding="utf-8"))
        return [self.folder / out["path"] for stage in lock["stages"].values() for out in stage["outs"]]

    def check_lock(self) -> None:
        """Raise ReleaseRefused unless dvc.lock has every stage of dvc.yaml: a cut file is still valid YAML."""
        lock = self.folder / "dvc.lock"
        text = lock.read_text(encoding="utf-8") if lock.exists() else ""
        locked = (yaml.safe_load(text) or {}).get("stages", {})
        declared = yaml.safe_load(self.pipeline.read_text(encoding="utf-8"))["stages"]
        if missing := sorted(set(declared) - set(locked)):
            raise ReleaseRefused(lock, f"stage {missing[0]} is missing", f"make dataset DS={self.name}")


def find_datasets(root: Path, name: str, all_of_them: bool = True) -> list[Dataset]:
    """Return the dataset of that name, or every one for ``all``, where that makes sense: parents first.

    Raises UsageError for a name that is none.
    """
    known = {path.parent.name: Dataset(path.parent.name, path.parent) for path in sorted(root.glob("data/*/dvc.yaml"))}
    if name == "all" and all_of_them:
        return sorted(known.values(), key=lambda each: (bool(each.parent), each.name))
    if not NAME.fullmatch(name) or name not in known:
        what = f"no dataset {name!r}" if name else "is missing"
        raise UsageError("DS", what, f"use one of: {', '.join(known)}{', all' * all_of_them}")
    return [known[name]]


def waiting_for(dataset: Dataset, git: Git) -> str:
    """Return the tag of the release that a dataset is made from, where this clone does not have it; or nothing."""
    tag = dataset.parent
    return "" if tag in {"", WORKSPACE} or git.resolve(f"refs/tags/{tag}") else tag
