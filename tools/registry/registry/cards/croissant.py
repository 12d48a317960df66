"""croissant.json: a release in the words of MLCommons Croissant 1.0 (https://docs.mlcommons.org/croissant/docs).

It stands in the dataset's folder, and its paths begin there: whoever has got a release can read records with it.
"""

import json
from pathlib import PurePosixPath
from typing import Any

from registry.cards.context import CONTEXT
from registry.cards.description import Description, File, describe, is_url
from registry.cards.licences import spdx_url
from registry.cards.records import document_records, file_records, identifier, image_records, split_records
from registry.datasets import Dataset
from registry.releasing.versions import Version

FORMATS = {
    ".csv": ["text/csv"],
    ".json": ["application/json"],
    ".parquet": ["application/x-parquet"],
    ".md": ["text/markdown", "text/plain"],  # as what it is, and as what readers of plain text take
}
OTHER = ["text/plain"]


def croissant_of(dataset: Dataset, version: Version) -> bytes:
    """Return the croissant.json of a version; made from what git has, the same on every machine.

    Raises UsageError for a params.yaml that cannot be read.
    """
    found = describe(dataset)
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": found.title,
        "description": found.text,
        "license": spdx_url(found.licence),
        "url": found.source if is_url(found.source) else "",
        "creator": _creators(found),
        "citeAs": found.citation or _citation(found, version),
        "inLanguage": list(found.card.languages),
        "keywords": [*found.card.tasks, *found.card.tags],
        "version": str(version),
        "distribution": [*(_file(file) for file in found.files), *_sets(found)],
        "recordSet": _records(found),
    }
    kept = {key: value for key, value in document.items() if value}
    return (json.dumps(kept, indent=2, ensure_ascii=False) + "\n").encode()


def _creators(found: Description) -> list[dict[str, str]]:
    people = [{"@type": "sc:Person", "name": name} for name in found.card.authors]
    return [*people, *({"@type": "sc:Organization", "name": name} for name in [found.card.organisation] if name)]


def _citation(found: Description, version: Version) -> str:
    """Return how to cite data that nobody has written about."""
    creators = ", ".join([*found.card.authors, *([found.card.organisation] if found.card.organisation else [])])
    parts = (creators.rstrip("."), f"{found.title}, version {version}", found.source)
    return ". ".join(part for part in parts if part)


def _file(file: File) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": identifier(file.path),
        "name": PurePosixPath(file.path).name,
        "contentUrl": file.path,
        "contentSize": f"{file.size} B",
        "encodingFormat": _format(file.path),
        "sha256": file.sha256,
    }


def _sets(found: Description) -> list[dict[str, Any]]:
    """Return the sets of files that records are read from."""
    if found.are_documents:
        endings = sorted({PurePosixPath(file.path).suffix for file in found.files})
        return [_set("raw", [f"raw/*{ending}" for ending in endings], _format(found.files[0].path))]
    folders = [f"{PurePosixPath(file.path).parent}/images" for file in found.files if _is_annotations(file)]
    return [_set(folder, [f"{folder}/*"], ["image/jpeg"]) for folder in folders]


def _set(folder: str, includes: list[str], formats: list[str]) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": identifier(folder),
        "name": folder,
        "encodingFormat": formats,
        "includes": includes,
    }


def _records(found: Description) -> list[dict[str, Any]]:
    if found.are_documents:
        return [document_records("samples", "raw", found.columns)]
    sets = [split_records(list(found.counts))] if "" not in found.counts else []
    for file in found.files:
        name = file.split or "samples"
        sets.append(file_records(name, file.path, found.columns))
        if _is_annotations(file):
            sets.append(image_records(f"{name}-images", f"{PurePosixPath(file.path).parent}/images"))
    return sets


def _is_annotations(file: File) -> bool:
    return PurePosixPath(file.path).name == "annotations.json"


def _format(path: str) -> list[str]:
    return FORMATS.get(PurePosixPath(path).suffix, OTHER)
