"""Look for changes upstream: they end in a dataset's sources.csv, for review, and nowhere else."""

import subprocess
import textwrap
from pathlib import Path

from data_registry.stage.errors import StageError, UsageError
from data_registry.stage.foreign import read_json
from data_registry.stage.params import section

from registry.datasets import Dataset

COLUMNS, NAMED = 80, 20  # of a terminal; names told of each kind


class ResolveFailed(StageError):
    """The fetcher ended with an exit code of its own, which is passed on."""

    def __init__(self, dataset: Dataset, code: int) -> None:
        self.code = code
        super().__init__(dataset.name, f"fetcher resolve failed with exit {code}", "see its error line above")


def has_upstream(dataset: Dataset) -> bool:
    """Say whether the dataset's params.yaml names its upstream."""
    return bool(section(dataset.folder / "params.yaml", "upstream"))


def refresh(dataset: Dataset, root: Path) -> str:
    """Write what upstream holds now into the dataset's sources.csv, and return what has changed, for a terminal.

    Raises UsageError for a dataset without ``upstream`` in params.yaml, and ResolveFailed.
    """
    if not has_upstream(dataset):
        fix = "add upstream: with kind: urls, huggingface or github-readmes (see tools/fetcher/README.md)"
        raise UsageError(dataset.folder / "params.yaml", "there is no section upstream", fix)
    command = [str(root / "tools" / "run"), "fetcher", "resolve", "--params", "params.yaml", "sources.csv"]
    done = subprocess.run(command, cwd=dataset.folder, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise ResolveFailed(dataset, done.returncode if done.returncode > 0 else 128 - done.returncode)
    shape = {"files": int, "added": [str], "changed": [str], "removed": [str]}
    found = read_json(done.stdout, "fetcher resolve", shape)
    lines = [line for kind in ("added", "changed", "removed") for line in _listed(kind, found[kind])]
    if not lines:
        return f"{dataset.name}: nothing has changed upstream ({found['files']} files)"
    path = (dataset.folder / "sources.csv").relative_to(root)
    return "\n".join([f"{dataset.name}: {found['files']} files upstream", *lines, f"review with: git diff {path}"])


def _listed(kind: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return textwrap.wrap(
        ", ".join(names[:NAMED]) + more,
        COLUMNS,
        initial_indent=f"  {kind:<10}",
        subsequent_indent=" " * 12,
        break_long_words=False,
        break_on_hyphens=False,
    )
