"""Create the folder of a new dataset from data: pin and fetch it, look at all of it, and write what it seems to be."""

import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from data_registry.stage.errors import ChildFailed
from data_registry.stage.foreign import read_json
from data_registry.stage.redaction import safe_url

from registry.build.new import QUESTIONS, new_folder
from registry.build.pipeline import reproduce
from registry.build.proposed import FETCHER, SHAPE, Source, fetching, params, pipeline
from registry.build.sources_from import sources_from
from registry.datasets import Dataset


def make_dataset_from(root: Path, name: str, text: str) -> Dataset:
    """Create ``data/<name>`` for the data that ``text`` names, ready to build.

    The raw files are fetched by the first stage, so that the build does not fetch them again. If anything fails, there
    is no folder. Raises UsageError for an invalid name or source, and ChildFailed.
    """
    folder = new_folder(root, name)
    dataset = Dataset(name, folder)
    with ExitStack() as undo:
        folder.mkdir()
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        origin = sources_from(text, folder, root)
        source = Source(_shown(text), origin.upstream, origin.page)
        (folder / "params.yaml").write_text(fetching(name, source), encoding="utf-8")
        (folder / "dvc.yaml").write_text(FETCHER, encoding="utf-8")
        reproduce(dataset, root)
        proposal = _inspected(dataset, root)
        (folder / "params.yaml").write_text(params(name, source, proposal), encoding="utf-8")
        (folder / "dvc.yaml").write_text(pipeline(proposal), encoding="utf-8")
        (folder / "README.md").write_text(QUESTIONS.format(name=name), encoding="utf-8")
        undo.pop_all()
    return dataset


def _inspected(dataset: Dataset, root: Path) -> dict[str, Any]:
    """Return what ``parquetizer inspect`` proposes for the raw files. Raises ChildFailed."""
    command = [str(root / "tools" / "run"), "parquetizer", "inspect", "raw"]
    done = subprocess.run(command, cwd=dataset.folder, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise ChildFailed(dataset.name, "parquetizer inspect", done.returncode)
    proposal: dict[str, Any] = read_json(done.stdout, "parquetizer inspect", SHAPE)
    return proposal


def _shown(text: str) -> str:
    """Return the source for a comment: of a local path the name alone."""
    return safe_url(text) if "://" in text or text.startswith("hf:") else Path(text).name
