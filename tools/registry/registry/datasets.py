"""The datasets of the repository: folders of data/ that have a dvc.yaml."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import yaml
from stage.errors import ReleaseRefused, UsageError

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
    """Return the dataset of that name, or every one for ``all``, where that makes sense.

    Raises UsageError for a name that is none.
    """
    known = {path.parent.name: Dataset(path.parent.name, path.parent) for path in sorted(root.glob("data/*/dvc.yaml"))}
    if name == "all" and all_of_them:
        return list(known.values())
    if not NAME.fullmatch(name) or name not in known:
        raise UsageError("DS", f"no dataset {name!r}", f"use one of: {', '.join(known)}{', all' * all_of_them}")
    return [known[name]]


def unfinished(root: Path) -> list[Path]:
    """Return the folders of data/ that are none: they have no dvc.yaml."""
    return [path for path in sorted((root / "data").iterdir()) if path.is_dir() and not (path / "dvc.yaml").exists()]
