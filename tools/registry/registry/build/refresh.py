"""Write the current files of a dataset's upstream into its sources.csv, for review."""

import difflib
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_registry.git import Git
from data_registry.stage.errors import UsageError
from data_registry.stage.foreign import read_json
from data_registry.stage.params import section

from registry.build.local_files import store_files
from registry.build.source_list import SOURCES, Row, read_rows, write_rows
from registry.build.sources_from import resolve
from registry.datasets import Dataset
from registry.terminal import WIDTH, row

LISTED = 20  # names of each kind, and lines of a change
SHAPE = {"files": int, "added": [str], "changed": [str], "removed": [str]}


def has_upstream(dataset: Dataset) -> bool:
    """Say whether the dataset's params.yaml has a section ``upstream``."""
    return bool(section(dataset.folder / "params.yaml", "upstream"))


def refresh(dataset: Dataset, root: Path, path: str = "") -> str:
    """Update the dataset's sources.csv from its upstream, and return the changes for a terminal.

    With ``path``, a file or folder, the sources become the local files there.

    Raises UsageError for a dataset without ``upstream`` in params.yaml, or with both; what ``store_files`` raises; and
    ChildFailed.
    """
    sources, params = dataset.folder / SOURCES, dataset.folder / "params.yaml"
    if path and has_upstream(dataset):
        raise UsageError(params, "has the section upstream, and FROM is set", "remove one of them")
    if not path and not has_upstream(dataset):
        fix = "add upstream: with kind: urls, huggingface, s3 or github-readmes (see tools/fetcher/README.md)"
        raise UsageError(params, "section upstream not found", f"{fix}, or FROM=PATH for local files")
    before = sources.read_bytes() if sources.exists() else b""
    if path:
        rows = store_files(root / Path(path).expanduser(), dataset.folder)
        result = _compared(read_rows(before), rows)
        write_rows(sources, rows)
    else:
        result = read_json(resolve(dataset.folder, root, dataset.name), "fetcher resolve", SHAPE)
    lines = [line for kind in ("added", "changed", "removed") for line in _listed(kind, result[kind])]
    if not lines:
        return f"{dataset.name}: no change upstream ({result['files']} files)"
    name = str(sources.relative_to(root))
    review = [f"review with: git diff {name}"]
    if not Git(root).run("ls-files", "--", name).stdout:  # git diff shows nothing of an untracked file
        after = sources.read_text(encoding="utf-8").splitlines()
        review = [f"{name} is not in git yet; its change:", *_changes(before.decode().splitlines(), after)]
    return "\n".join([f"{dataset.name}: {result['files']} files upstream", *lines, *review])


def _compared(before: list[Row], after: list[Row]) -> Mapping[str, Any]:
    """Return what ``fetcher resolve`` prints of a change."""
    old, new = {row.name: row for row in before}, {row.name: row for row in after}
    return {
        "files": len(new),
        "added": [name for name in new if name not in old],
        "changed": [name for name in new if name in old and old[name] != new[name]],
        "removed": [name for name in old if name not in new],
    }


def _listed(kind: str, names: list[str]) -> list[str]:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return row(kind, ", ".join(names[:LISTED]) + more)


def _changes(before: list[str], after: list[str]) -> list[str]:
    """Return the first lines that were removed and added, cut to the width of a terminal."""
    lines = itertools.islice(difflib.unified_diff(before, after, lineterm="", n=0), 2, None)
    changes = [line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…" for line in lines if not line.startswith("@@")]
    more = [f"and {len(changes) - LISTED} more lines"] if len(changes) > LISTED else []
    return changes[:LISTED] + more
