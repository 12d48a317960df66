"""croissant.json: a release in the words of MLCommons Croissant 1.0 (https://docs.mlcommons.org/croissant/docs).

It stands in the dataset's folder, and its paths begin there: whoever has got a release can read records with it.
"""

import json
from pathlib import PurePosixPath
from typing import Any

from data_registry.releases.versions import Version

from registry.cards.context import CONTEXT
from registry.cards.description import Description, File, describe, is_url
from registry.cards.licences import spdx_url
from registry.cards.records import Ids, Records
from registry.datasets import Dataset

FORMATS = {".csv": "text/csv", ".json": "application/json", ".parquet": "application/x-parquet"}
OTHER = "text/plain"  # Markdown too: mlcroissant reads no text/markdown


def croissant_of(dataset: Dataset, version: Version) -> bytes:
    """Return the croissant.json of a version; made from what git has, the same on every machine.

    Raises UsageError for a params.yaml that cannot be read.
    """
    found, ids = describe(dataset), Ids()
    files = {file.path: ids(file.path) for file in found.files}
    sets = {folder: ids(folder) for folder in _folders(found)}
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": found.title,
        "description": found.text,
        "license": _licence(found.licence),
        "url": found.source if is_url(found.source) else "",
        "creator": _creators(found),
        "citeAs": found.citation or _citation(found, version),
        "inLanguage": list(found.card.languages),
        "keywords": [*found.card.tasks, *found.card.tags],
        "version": str(version),
        "distribution": [
            *(_file(file, files[file.path]) for file in found.files),
            *(_set(found, folder, name) for folder, name in sets.items()),
        ],
        "recordSet": _records(found, ids, {**files, **sets}),
    }
    kept = {key: value for key, value in document.items() if value}
    return (json.dumps(kept, indent=2, ensure_ascii=False) + "\n").encode()


def _licence(words: str) -> str | dict[str, str]:
    """Return the page of a licence, or for other words a work of that name: schema.org takes no text there."""
    page = spdx_url(words)
    return page if not page or is_url(page) else {"@type": "sc:CreativeWork", "name": words}


def _creators(found: Description) -> list[dict[str, str]]:
    people = [{"@type": "sc:Person", "name": name} for name in found.card.authors]
    return [*people, *({"@type": "sc:Organization", "name": name} for name in [found.card.organisation] if name)]


def _citation(found: Description, version: Version) -> str:
    """Return how to cite data that nobody has written about."""
    creators = ", ".join([*found.card.authors, *([found.card.organisation] if found.card.organisation else [])])
    parts = (creators.rstrip("."), f"{found.title}, version {version}", found.source)
    return ". ".join(part for part in parts if part)


def _file(file: File, name: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": PurePosixPath(file.path).name,
        "contentUrl": file.path,
        "contentSize": f"{file.size} B",
        "encodingFormat": _format(file.path),
        "sha256": file.sha256,
    }


def _folders(found: Description) -> list[str]:
    """Return the folders of the sets of files that records are read from."""
    return ["raw"] if found.are_documents else [_images(file) for file in found.files if _is_annotations(file)]


def _set(found: Description, folder: str, name: str) -> dict[str, Any]:
    includes, kind = [f"{folder}/*"], "image/jpeg"
    if found.are_documents:
        endings = sorted({PurePosixPath(file.path).suffix for file in found.files})
        # A * of mlcroissant goes into folders, and its ** is one at least; other readers need both for the same files.
        includes = [f"{folder}/{part}{ending}" for ending in endings for part in ("*", "**/*")]
        kind = _format(found.files[0].path)
    return {"@type": "cr:FileSet", "@id": name, "name": folder, "encodingFormat": kind, "includes": includes}


def _records(found: Description, ids: Ids, files: dict[str, str]) -> list[dict[str, Any]]:
    records = Records(ids)
    if found.are_documents:
        return [records.documents(ids("samples"), "raw", files["raw"], found.columns)]
    names = {file.path: ids(file.split or "samples") for file in found.files}  # before others take one
    sets = [records.splits(list(found.counts))] if "" not in found.counts else []
    for file in found.files:
        sets.append(records.file(names[file.path], file.path, files[file.path], found.columns))
        if _is_annotations(file):
            folder = _images(file)
            sets.append(records.images(ids(f"{names[file.path]}-images"), folder, files[folder]))
    return sets


def _images(annotations: File) -> str:
    """Return the folder of the images that annotations are of."""
    return f"{PurePosixPath(annotations.path).parent}/images"


def _is_annotations(file: File) -> bool:
    return PurePosixPath(file.path).name == "annotations.json"


def _format(path: str) -> str:
    return FORMATS.get(PurePosixPath(path).suffix, OTHER)
