"""Every reader of bytes that others wrote, with a valid document for each, and how one is fed to it."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import yaml
from chunk_embed.documents import Release as ParentOfChunks
from cluster.steps.report import read_failures
from cluster.steps.workspace import SHAPE as PLAN
from data_registry.documents import read_stages
from data_registry.samples import Column, check_columns, check_manifest, parse_type
from data_registry.stage.errors import StageError, UsageError, VerificationFailed
from data_registry.stage.foreign import read_json, read_yaml
from data_registry.stage.params import section
from faults.foreign_documents import (
    CARD,
    COLUMNS,
    CONFIG,
    ENTRIES,
    FAILURES,
    HASH,
    HEAD,
    HUB_INFO,
    HUB_TREE,
    LISTED,
    LOCK,
    METADATA,
    PARENT,
    PIPELINE,
    PLANNED,
    PROCESSED,
    QUESTIONS,
    README,
    RECEIPT,
    REPOSITORIES,
    SELECTION,
    SETTINGS,
    TAG,
    TYPE,
)
from faults.foreign_feeds import (
    annotations,
    chosen,
    config,
    footer,
    ids_of_selection,
    in_file,
    list_of_folder,
    lock,
    manifest,
    metadata,
    readme,
    schema_in_footer,
    selection,
    serialized,
    shown,
    sought,
)
from faults.foreign_servers import answered_by_github, answered_by_hub
from faults.foreign_tags import tag
from pgloader.loads import Receipt
from pgloader.searching import read_queries
from registry.datasets import PARAMS
from stage.errors import StageError as StageErrorOfTools
from stats.conversations import _entries, _prompt
from stats.provenance import read_parent_provenance


@dataclasses.dataclass(frozen=True)
class Reader:
    """A reader of foreign bytes: a valid document, or its ``text``; ``expected`` is what may be raised.

    ``write`` says how a changed document is written; ``costly`` that each example asks a server or git.
    """

    document: Any
    read: Callable[[bytes], object]
    text: bytes = b""
    expected: tuple[type[Exception], ...] = (StageError, StageErrorOfTools)
    write: Callable[[Any], str] = json.dumps
    costly: bool = False

    @property
    def content(self) -> bytes:
        """The valid document as bytes."""
        return self.text or json.dumps(self.document).encode()


def ini(document: Any) -> str:
    """Return a document as DVC writes its configuration."""
    if not isinstance(document, dict):
        return json.dumps(document)
    lines = []
    for name, values in document.items():
        lines.append(f"[{name}]")
        lines += (
            [f"    {key} = {value}" for key, value in values.items()] if isinstance(values, dict) else [f"{values}"]
        )
    return "\n".join(lines)


READERS = {
    "dvc.lock": Reader(LOCK, lock, yaml.safe_dump(LOCK).encode()),
    "metadata.json": Reader(METADATA, metadata),
    "dvc.yaml": Reader(
        PIPELINE, lambda text: read_stages(text, "dvc.yaml", VerificationFailed, "x"), yaml.safe_dump(PIPELINE).encode()
    ),
    "params.yaml": Reader(
        SETTINGS,
        lambda text: read_yaml(text, "params.yaml", (PARAMS, None), UsageError),
        yaml.safe_dump(SETTINGS).encode(),
    ),
    "section of params.yaml": Reader(SETTINGS, in_file(lambda path: section(path, "dataset"), "params.yaml")),
    "README": Reader(CARD, readme, yaml.safe_dump(CARD).encode()),
    "croissant.json": Reader(CARD, lambda text: read_json(text, "croissant.json", dict)),
    "search input": Reader({"text": "a", "label": 1, "image": [[1]]}, sought),
    "questions": Reader(QUESTIONS, lambda text: read_queries(text.decode(errors="surrogateescape"))),
    "selection": Reader(SELECTION, selection),
    "ids of a selection": Reader(None, ids_of_selection, chosen()[1]),
    "manifest": Reader(None, in_file(check_manifest, "m.parquet"), manifest(), expected=(ValueError,)),
    "footer of a manifest": Reader(
        {"columns": COLUMNS, "key": ["text"], "files": {"a": HASH}}, footer, expected=(ValueError,)
    ),
    "schema in the footer of a manifest": Reader(None, schema_in_footer, serialized(), expected=(ValueError,)),
    "type": Reader(
        TYPE, lambda text: parse_type(text.decode(errors="replace")), TYPE.encode(), expected=(ValueError,), write=str
    ),
    "type of a column": Reader(
        TYPE,
        lambda text: check_columns([Column("x", text.decode(errors="replace"))]),
        TYPE.encode(),
        expected=(ValueError,),
        write=str,
    ),
    "receipt": Reader(RECEIPT, in_file(Receipt.read, "receipt.json")),
    "release.json for stats": Reader(
        PARENT,
        in_file(lambda path: read_parent_provenance(path.parent, path, {}), "release.json"),
    ),
    "release.json for chunk-embed": Reader(PARENT, in_file(ParentOfChunks.read, "release.json")),
    "plan": Reader(PLANNED, lambda text: read_json(text, "plan.json", PLAN)),
    "failures": Reader(FAILURES, lambda text: read_failures(text.decode(errors="replace"))),
    "list of a folder": Reader(LISTED, list_of_folder),
    ".dvc/config": Reader(CONFIG, config, ini(CONFIG).encode(), write=ini),
    "annotations.json": Reader(ENTRIES, annotations),
    "annotations.json for stats": Reader(ENTRIES, in_file(_entries, "annotations.json")),
    "process_stats.json": Reader(PROCESSED, in_file(_prompt, "process_stats.json")),
    "tag": Reader(None, tag, TAG.encode(), costly=True),
    "commit of the Hub": Reader(HUB_INFO, answered_by_hub("revision"), costly=True),
    "files of the Hub": Reader(HUB_TREE, answered_by_hub("tree"), costly=True),
    "repositories of GitHub": Reader(REPOSITORIES, answered_by_github("repos"), costly=True),
    "commit of GitHub": Reader(HEAD, answered_by_github("commits"), costly=True),
    "README of GitHub": Reader(README, answered_by_github("readme"), costly=True),
    "what is shown": Reader("https://u:p@example.org/x?token=t u:p@host:x.git", shown),
}
