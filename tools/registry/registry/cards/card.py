"""The card of a dataset: its README with front matter for the Hugging Face Hub and its libraries."""

import re
from typing import Any

import pyarrow as pa
from data_registry.releases.release import README
from data_registry.stage.errors import UsageError
from data_registry.stage.output import replacing

from registry.cards.description import Description, describe, is_url
from registry.cards.features import arrow_field, feature
from registry.cards.front_matter import with_block
from registry.cards.licences import HUB, spdx_id
from registry.datasets import Dataset

# The size categories of the Hub, by upper bound.
SIZES = {
    **{10**3: "n<1K", 10**4: "1K<n<10K", 10**5: "10K<n<100K", 10**6: "100K<n<1M", 10**7: "1M<n<10M"},
    **{10**8: "10M<n<100M", 10**9: "100M<n<1B", 10**10: "1B<n<10B", 10**11: "10B<n<100B", 10**12: "100B<n<1T"},
}
LARGER = "n>1T"


def card_of(dataset: Dataset) -> bytes:
    """Return the dataset's README with current front matter, from files in git alone: the same on every machine.

    A byte-order mark is dropped: the Hub finds no front matter after it.
    Raises UsageError for an invalid README or params.yaml.
    """
    path = dataset.folder / README
    try:
        text = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
    except UnicodeDecodeError as error:
        raise UsageError(path, "not UTF-8", "save it as UTF-8") from error
    return with_block(text, keys_of(describe(dataset)), path).encode()


def write_card(dataset: Dataset) -> bool:
    """Update the front matter of the dataset's README, and say whether it changed. Raises UsageError."""
    path, card = dataset.folder / README, card_of(dataset)
    if path.exists() and path.read_bytes() == card:
        return False
    with replacing(path) as (temporary,):
        temporary.write_bytes(card)
    return True


def keys_of(about: Description) -> dict[str, Any]:
    """Return the keys of the front matter (https://github.com/huggingface/hub-docs/blob/main/datasetcard.md)."""
    keys: dict[str, Any] = {
        **_licence(about),
        "task_categories": list(about.card.tasks),
        "language": list(about.card.languages),
        "tags": list(about.card.tags),
        "pretty_name": about.title,
    }
    if about.counts:
        samples = sum(about.counts.values())
        keys["size_categories"] = [next((name for bound, name in SIZES.items() if samples < bound), LARGER)]
    if about.files and not about.are_documents:  # the datasets library cannot load Markdown
        parts = [{"split": _name(file.split), "path": file.path} for file in about.files]
        keys["configs"] = [{"config_name": "default", "data_files": parts, **_csv(about)}]
        keys["dataset_info"] = {
            "features": [feature(column) for column in about.columns],
            "splits": [_split(about, split) for split in about.counts],
        }
    return {key: value for key, value in keys.items() if value}


def _csv(about: Description) -> dict[str, Any]:
    """Return the options for CSV files with texts: "None" and "NA" are texts, only numbers can be null."""
    numbers = [column.name for column in about.columns if not pa.types.is_string(arrow_field(column).type)]
    if len(numbers) == len(about.columns) or not all(file.path.endswith(".csv") for file in about.files):
        return {}
    return {"keep_default_na": False, **({"na_values": {name: [""] for name in numbers}} if numbers else {})}


def _split(about: Description, split: str) -> dict[str, Any]:
    """Return a split; the datasets library checks num_examples, and requires num_bytes."""
    size = sum(file.size for file in about.files if file.split == split)
    return {"name": _name(split), "num_bytes": size, "num_examples": about.counts[split]}


def _name(split: str) -> str:
    """Return the name of a split for the datasets library, which does not allow ``-``."""
    return split.replace("-", "_") or "train"


def _licence(about: Description) -> dict[str, str]:
    if known := spdx_id(about.licence):
        return {"license": HUB[known]}
    if not about.licence:
        return {"license": "unknown"}
    name = re.sub(r"[^a-z0-9]+", "-", about.licence.lower()).strip("-")
    link = next(filter(is_url, (about.licence, about.source)), "")
    return {"license": "other", "license_name": name if re.search("[a-z]", name) else "custom", "license_link": link}
