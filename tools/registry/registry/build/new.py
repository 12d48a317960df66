"""Create the folder of a new dataset: a copy of ours of the same kind, with its bundled sample as the source."""

import re
import shutil
from pathlib import Path

from data_registry.releases.versions import NAME
from data_registry.stage.errors import UsageError

from registry.build.pipeline import start_evaluation
from registry.datasets import Dataset, find_datasets

EXAMPLES = {  # the dataset that a folder of each kind is copied from
    "table": "wine-quality",
    "idx": "fashion-mnist",
    "text": "emotion",
    "conversations": "roco-radiology",
    "documents": "opencloudhub-readmes",
    "index": "opencloudhub-readmes-embeddings",
}
COPIED = ("dvc.yaml", "sample", "prompts")
TO_FILL_IN = "to be filled in"
DESCRIBED = ("title", "description", "source", "citation", "licence")
DROPPED = ("tags", "authors", "organisation")  # of the card: true of the example alone

HEADER = """\
# Created by `make new` from {like}; it builds the bundled sample of that. Next: describe the data, put your files
# into sources.csv, change columns and settings to match, and remove sample/.
"""

INDEX_HEADER = """\
# Created by `make new` from {like}: an index of the release that is named below. Next: describe it, name your
# release, and the dataset whose questions measure the index.
"""

# A README with one of these lines is not filled in yet, also if an earlier version of the tool wrote it.
README = """\
# {name}

What the data is, in a sentence or two.

- **Source:** where it comes from
- **Licence:** what its users may do with it
- **Cite:** whom they have to thank

    make dataset DS={name}
"""
QUESTIONS = """\
# {name}

What is a sample, and who collected the data, when and how?

- **Source:** where does it come from?
- **Licence:** what may its users do with it?
- **Cite:** whom do they have to thank?
- **Limits:** what is missing, one-sided, or known to be wrong?

    make dataset DS={name}
"""


def make_dataset_folder(root: Path, name: str, kind: str) -> Path:
    """Create ``data/<name>`` from the example of ``kind``, ready to build; return the folder.

    Raises UsageError for an unknown kind, an invalid name, and a folder that exists.
    """
    if kind not in EXAMPLES:
        raise UsageError("KIND", f"unknown kind {kind!r}", f"use one of: {', '.join(EXAMPLES)}")
    folder = new_folder(root, name)
    (example,) = find_datasets(root, EXAMPLES[kind])
    folder.mkdir()
    for part in COPIED:
        path = example.folder / part
        if path.is_dir():
            shutil.copytree(path, folder / part)
        elif path.exists():
            shutil.copy(path, folder / part)
    if example.sample_sources.exists():
        shutil.copy(example.sample_sources, folder / "sources.csv")
    (folder / "params.yaml").write_text(_params(example, name), encoding="utf-8")
    (folder / "README.md").write_text(README.format(name=name), encoding="utf-8")
    start_evaluation(Dataset(name, folder))
    return folder


def new_folder(root: Path, name: str) -> Path:
    """Return the folder of a new dataset. Raises UsageError for an invalid name, and a folder that exists."""
    folder = root / "data" / name
    if not NAME.fullmatch(name) or name == "all":
        raise UsageError("DS", f"invalid name {name!r}", "use a-z, 0-9 and -, as my-data")
    if folder.exists():
        raise UsageError("DS", f"{folder.relative_to(root)} already exists", "choose another name")
    return folder


def left_to_fill_in(dataset: Dataset) -> str:
    """Return all parts of the description that are still as ``make new`` wrote them, or nothing."""
    described = (dataset.params().get("dataset") or {}).items()
    keys = [key for key, value in described if isinstance(value, str) and _is_gap(value)]
    readme = dataset.folder / "README.md"
    lines = set(readme.read_text(encoding="utf-8", errors="replace").splitlines()) if readme.is_file() else set()
    written = [line for text in (README, QUESTIONS) for line in text.format(name=dataset.name).splitlines()]
    gaps = [repr(line) for line in written if line.startswith(("What ", "- **")) and line in lines]
    parts = [f"params.yaml, {', '.join(f'dataset.{key}' for key in keys)}"] * bool(keys)
    return "; ".join([*parts, *[f"README.md, {', '.join(gaps)}"] * bool(gaps)])


def _is_gap(text: str) -> bool:
    return text.strip().strip(".").casefold() == TO_FILL_IN


def _params(example: Dataset, name: str) -> str:
    """Return the example's params.yaml with the new name, a description to be filled in, and no upstream."""
    text = (example.folder / "params.yaml").read_text(encoding="utf-8")
    header = INDEX_HEADER if example.parent else HEADER
    text = re.sub(r"\A#.*\n", header.format(like=example.name), text)
    text = re.sub(r"^  name: .*$", f"  name: {name}", text, count=1, flags=re.MULTILINE)
    text = text.replace(f"processed/{example.name}.", f"processed/{name}.")
    text = re.sub(r"^  relation: [a-z0-9_]+", f"  relation: {_relation(name)}", text, count=1, flags=re.MULTILINE)
    text = re.sub(r"^(?:#.*\n)?upstream:\n(?:[ ].*\n)+\n?", "", text, flags=re.MULTILINE)
    for key in DESCRIBED:
        text = re.sub(rf"^  {key}:.*\n(?:    .*\n)*", f"  {key}: {TO_FILL_IN}\n", text, count=1, flags=re.MULTILINE)
    return re.sub(rf"^  (?:{'|'.join(DROPPED)}):.*\n", "", text, flags=re.MULTILINE)


def _relation(name: str) -> str:
    """Return the name of the view of an index, valid for pgloader and unlike the example's."""
    plain = name.replace("-", "_")
    return (plain if plain[0].isalpha() and not plain.startswith(("registry_", "pg_")) else f"index_{plain}")[:50]
