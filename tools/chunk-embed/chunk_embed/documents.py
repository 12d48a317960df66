"""Read the documents to be cut: whole Markdown files, each of which is the README of a repository."""

import dataclasses
import hashlib
import os
import re
from pathlib import Path

from stage.errors import BadRows, EmptyInput, InputMissing
from stage.inside import is_regular

REPOSITORY = re.compile(r"(.+?)_README")  # as the index's readers find it


@dataclasses.dataclass(frozen=True)
class Document:
    """A README: its file name, its repository, its text, and the SHA-256 of its bytes in hex."""

    name: str
    repo: str
    text: str
    doc_id: str


def read_documents(raw: Path) -> list[Document]:
    """Return the documents in a folder, sorted by the bytes of their names.

    Raises InputMissing, EmptyInput, or BadRows for what is not a UTF-8 text called ``<repository>_README``.
    """
    if not raw.is_dir():
        raise InputMissing(raw, "no such folder", "get the release of the READMEs first")
    paths = sorted(raw.iterdir(), key=lambda path: os.fsencode(path.name))
    if not paths:
        raise EmptyInput(raw, "no documents", "get the release of the READMEs first")
    return [_read(path) for path in paths]


def _read(path: Path) -> Document:
    match = REPOSITORY.match(path.name)
    if not match:
        raise BadRows(path, "is not called <repository>_README.md", "rename or remove it; its name says its repository")
    if not is_regular(path):
        raise BadRows(path, "is not a regular file", "remove it")
    data = path.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadRows(f"{path}@{error.start}", f"not utf-8: {error.reason}", "save it as UTF-8") from error
    if "\0" in text:
        raise BadRows(f"{path}@{data.index(0)}", "NUL character", "remove it")
    return Document(path.name, match[1], text, hashlib.sha256(data).hexdigest())
