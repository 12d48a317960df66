"""The card of a dataset: its README, with front matter that the Hugging Face Hub and its libraries read."""

import re
from typing import Any

import pyarrow as pa
from data_registry.releases.release import README
from data_registry.stage.errors import UsageError
from data_registry.stage.output import replacing

from registry.cards.description import Description, describe, is_url
from registry.cards.features import feature
from registry.cards.front_matter import with_block
from registry.cards.licences import HUB, spdx_id
from registry.datasets import Dataset

# Upper bounds of the sizes that the Hub knows, and what it calls them.
SIZES = {
    **{10**3: "n<1K", 10**4: "1K<n<10K", 10**5: "10K<n<100K", 10**6: "100K<n<1M", 10**7: "1M<n<10M"},
    **{10**8: "10M<n<100M", 10**9: "100M<n<1B", 10**10: "1B<n<10B", 10**11: "10B<n<100B", 10**12: "100B<n<1T"},
}
LARGER = "n>1T"


def card_of(dataset: Dataset) -> bytes:
    """Return the dataset's README with a current block; made from what git has, the same on every machine.

    A byte-order mark is left out: the Hub finds no front matter behind it.

    Raises UsageError for a README or a params.yaml that cannot be read.
    """
    path = dataset.folder / README
    try:
        text = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
    except UnicodeDecodeError as error:
        raise UsageError(path, "is not UTF-8", "save it as UTF-8") from error
    return with_block(text, keys_of(describe(dataset)), path).encode()


def write_card(dataset: Dataset) -> bool:
    """Write the block into the dataset's README, and say whether that has changed it. Raises UsageError."""
    path, card = dataset.folder / README, card_of(dataset)
    if path.exists() and path.read_bytes() == card:
        return False
    with replacing(path) as (temporary,):
        temporary.write_bytes(card)
    return True


def keys_of(found: Description) -> dict[str, Any]:
    """Return the keys of the block (https://github.com/huggingface/hub-docs/blob/main/datasetcard.md)."""
    keys: dict[str, Any] = {
        **_licence(found),
        "task_categories": list(found.card.tasks),
        "language": list(found.card.languages),
        "tags": list(found.card.tags),
        "pretty_name": found.title,
    }
    if found.counts:
        samples = sum(found.counts.values())
        keys["size_categories"] = [next((name for bound, name in SIZES.items() if samples < bound), LARGER)]
    if found.files and not found.are_documents:  # datasets cannot load Markdown
        parts = [{"split": _name(file.split), "path": file.path} for file in found.files]
        keys["configs"] = [{"config_name": "default", "data_files": parts, **_csv(found)}]
        keys["dataset_info"] = {
            "features": [feature(column) for column in found.columns],
            "splits": [_split(found, split) for split in found.counts],
        }
    return {key: value for key, value in keys.items() if value}


def _csv(found: Description) -> dict[str, Any]:
    """Return how datasets is to read CSV files with texts: "None" and "NA" are texts, and only a number can lack."""
    numbers = [column.name for column in found.columns if not pa.types.is_string(column.type)]
    if len(numbers) == len(found.columns) or not all(file.path.endswith(".csv") for file in found.files):
        return {}
    return {"keep_default_na": False, **({"na_values": {name: [""] for name in numbers}} if numbers else {})}


def _split(found: Description, split: str) -> dict[str, Any]:
    """Return a split; datasets checks the number of its samples, and takes none without a number of bytes."""
    size = sum(file.size for file in found.files if file.split == split)
    return {"name": _name(split), "num_bytes": size, "num_examples": found.counts[split]}


def _name(split: str) -> str:
    """Return a split as datasets calls it, whose names have no ``-``."""
    return split.replace("-", "_") or "train"


def _licence(found: Description) -> dict[str, str]:
    if known := spdx_id(found.licence):
        return {"license": HUB[known]}
    if not found.licence:
        return {"license": "unknown"}
    name = re.sub(r"[^a-z0-9]+", "-", found.licence.lower()).strip("-")
    link = next(filter(is_url, (found.licence, found.source)), "")
    return {"license": "other", "license_name": name if re.search("[a-z]", name) else "custom", "license_link": link}
