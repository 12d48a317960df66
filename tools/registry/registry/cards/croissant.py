"""Describe a release as MLCommons Croissant 1.0 (https://docs.mlcommons.org/croissant/docs): croissant.json.

Its paths are relative to the dataset's folder, as ``make get`` writes it.
"""

import json
from pathlib import PurePosixPath
from typing import Any

from data_registry.releases.versions import Version

from registry.cards.description import Description, File, describe, is_url
from registry.cards.licences import spdx_url
from registry.cards.records import Records
from registry.datasets import Dataset

FORMATS = {".csv": "text/csv", ".json": "application/json", ".parquet": "application/x-parquet"}
OTHER = "text/plain"  # also for Markdown: mlcroissant does not read text/markdown
# The JSON-LD context of the specification; these words keep their names.
WORDS = (
    *("citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet", "format"),
    *("includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references"),
    *("regex", "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{word: f"cr:{word}" for word in WORDS},
}


def croissant_of(dataset: Dataset, version: Version) -> bytes:
    """Return the croissant.json of a version, from files in git alone: the same on every machine.

    Raises UsageError for an invalid params.yaml.
    """
    about, records = describe(dataset), Records()
    files = {file.path: records.new_id(file.path) for file in about.files}
    sets = {folder: records.new_id(folder) for folder in _folders(about)}
    creators = [{"@type": "sc:Person", "name": name} for name in about.card.authors]
    creators += [{"@type": "sc:Organization", "name": name} for name in [about.card.organisation] if name]
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": about.title,
        "description": about.text,
        "license": _licence(about.licence),
        "url": about.source if is_url(about.source) else "",
        "creator": creators,
        "citeAs": about.citation or _citation(creators, about, version),
        "inLanguage": list(about.card.languages),
        "keywords": [*about.card.tasks, *about.card.tags],
        "version": str(version),
        "distribution": [
            *(_file(file, files[file.path]) for file in about.files),
            *(_set(about, folder, name) for folder, name in sets.items()),
        ],
        "recordSet": _records(about, records, {**files, **sets}),
    }
    document = {key: value for key, value in document.items() if value}
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _licence(licence: str) -> str | dict[str, str]:
    """Return the URL of a licence, or a creative work of that name: schema.org does not allow a plain text."""
    page = spdx_url(licence)
    return page if not page or is_url(page) else {"@type": "sc:CreativeWork", "name": licence}


def _citation(creators: list[dict[str, str]], about: Description, version: Version) -> str:
    """Return a citation for a dataset without one."""
    names = ", ".join(creator["name"] for creator in creators).rstrip(".")
    return ". ".join(filter(None, (names, f"{about.title}, version {version}", about.source)))


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


def _folders(about: Description) -> list[str]:
    """Return the folders that records are read from."""
    return ["raw"] if about.are_documents else [_images(file) for file in about.files if _is_annotations(file)]


def _set(about: Description, folder: str, name: str) -> dict[str, Any]:
    includes, kind = [f"{folder}/*"], "image/jpeg"
    if about.are_documents:
        endings = sorted({PurePosixPath(file.path).suffix for file in about.files})
        # In mlcroissant * matches subfolders too, and ** at least one; other readers need both patterns.
        includes = [f"{folder}/{part}{ending}" for ending in endings for part in ("*", "**/*")]
        kind = _format(about.files[0].path)
    return {"@type": "cr:FileSet", "@id": name, "name": folder, "encodingFormat": kind, "includes": includes}


def _records(about: Description, records: Records, files: dict[str, str]) -> list[dict[str, Any]]:
    if about.are_documents:
        return [records.documents(records.new_id("samples"), "raw", files["raw"], about.columns)]
    # These come first: other ids may take the names.
    names = {file.path: records.new_id(file.split or "samples") for file in about.files}
    sets = [records.splits(list(about.counts))] if "" not in about.counts else []
    for file in about.files:
        sets.append(records.file(names[file.path], file.path, files[file.path], about.columns))
        if _is_annotations(file):
            folder = _images(file)
            sets.append(records.images(records.new_id(f"{names[file.path]}-images"), folder, files[folder]))
    return sets


def _images(annotations: File) -> str:
    """Return the folder of the annotated images."""
    return f"{PurePosixPath(annotations.path).parent}/images"


def _is_annotations(file: File) -> bool:
    return PurePosixPath(file.path).name == "annotations.json"


def _format(path: str) -> str:
    return FORMATS.get(PurePosixPath(path).suffix, OTHER)
