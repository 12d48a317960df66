"""Write the current files of a dataset's upstream into its sources.csv, for review."""

import difflib
import itertools
import subprocess
from pathlib import Path

from data_registry.git import Git
from data_registry.stage.errors import ChildFailed, UsageError
from data_registry.stage.foreign import read_json
from data_registry.stage.params import section

from registry.datasets import Dataset
from registry.terminal import WIDTH, row

LISTED = 20  # names of each kind, and lines of a change
SHAPE = {"files": int, "added": [str], "changed": [str], "removed": [str]}


def has_upstream(dataset: Dataset) -> bool:
    """Say whether the dataset's params.yaml has a section ``upstream``."""
    return bool(section(dataset.folder / "params.yaml", "upstream"))


def refresh(dataset: Dataset, root: Path) -> str:
    """Update the dataset's sources.csv from its upstream, and return the changes for a terminal.

    Raises UsageError for a dataset without ``upstream`` in params.yaml, and ChildFailed.
    """
    if not has_upstream(dataset):
        fix = "add upstream: with kind: urls, huggingface or github-readmes (see tools/fetcher/README.md)"
        raise UsageError(dataset.folder / "params.yaml", "section upstream not found", fix)
    path = dataset.folder / "sources.csv"
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    command = [str(root / "tools" / "run"), "fetcher", "resolve", "--params", "params.yaml", path.name]
    done = subprocess.run(command, cwd=dataset.folder, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise ChildFailed(dataset.name, "fetcher resolve", done.returncode)
    result = read_json(done.stdout, "fetcher resolve", SHAPE)
    lines = [line for kind in ("added", "changed", "removed") for line in _listed(kind, result[kind])]
    if not lines:
        return f"{dataset.name}: no change upstream ({result['files']} files)"
    name = str(path.relative_to(root))
    review = [f"review with: git diff {name}"]
    if not Git(root).run("ls-files", "--", name).stdout:  # git diff shows nothing of an untracked file
        after = path.read_text(encoding="utf-8").splitlines()
        review = [f"{name} is not in git yet; its change:", *_changes(before, after)]
    return "\n".join([f"{dataset.name}: {result['files']} files upstream", *lines, *review])


def _listed(kind: str, names: list[str]) -> list[str]:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return row(kind, ", ".join(names[:LISTED]) + more)


def _changes(before: list[str], after: list[str]) -> list[str]:
    """Return the first lines that were removed and added, cut to the width of a terminal."""
    lines = itertools.islice(difflib.unified_diff(before, after, lineterm="", n=0), 2, None)
    changes = [line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…" for line in lines if not line.startswith("@@")]
    more = [f"and {len(changes) - LISTED} more lines"] if len(changes) > LISTED else []
    return changes[:LISTED] + more
