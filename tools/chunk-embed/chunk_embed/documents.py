"""Read the documents to embed: Markdown files, each the README of a repository, and the release that they are from."""

import dataclasses
import hashlib
import os
import re
from pathlib import Path

from stage.errors import BadRows, CorruptFile, EmptyInput, InputMissing
from stage.foreign import read_bytes, read_json
from stage.inside import is_regular

REPOSITORY = re.compile(r"(.+?)_README")  # as the readers of the index parse it


@dataclasses.dataclass(frozen=True)
class Document:
    """A README: file name, repository, text, and the SHA-256 of its bytes in hex."""

    name: str
    repo: str
    text: str
    doc_id: str


@dataclasses.dataclass(frozen=True)
class Release:
    """The release that the documents are from: dataset, tag (``workspace``: not released), and logical hash."""

    dataset: str
    version: str
    logical_hash: str

    @classmethod
    def read(cls, path: Path) -> "Release":
        """Read ``release.json``, which ``registry parent`` writes. Raises InputMissing or CorruptFile."""
        if not path.is_file():
            raise InputMissing(path, "file not found", "run the stage registry")
        shape = {field.name: re.compile(r".+", re.DOTALL) for field in dataclasses.fields(cls)}
        values = read_json(read_bytes(path), path, shape, CorruptFile, "run the stage registry again")
        return cls(*(values[name] for name in shape))


def read_documents(raw: Path) -> list[Document]:
    """Return the documents in a folder, sorted by the bytes of their names.

    Raises InputMissing, EmptyInput, or BadRows for anything but a UTF-8 text named ``<repository>_README…``.
    """
    if not raw.is_dir():
        raise InputMissing(raw, "folder not found", "run the stage registry")
    paths = sorted(raw.iterdir(), key=lambda path: os.fsencode(path.name))
    if not paths:
        raise EmptyInput(raw, "no documents", "run the stage registry")
    return [_read(path) for path in paths]


def _read(path: Path) -> Document:
    match = REPOSITORY.match(path.name)
    if not match:
        raise BadRows(path, "invalid file name: expected <repository>_README.md", "rename or remove it")
    if not is_regular(path):
        raise BadRows(path, "not a regular file", "remove it")
    data = path.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadRows(f"{path}@{error.start}", f"not valid UTF-8: {error.reason}", "save it as UTF-8") from error
    if "\0" in text:
        raise BadRows(f"{path}@{data.index(0)}", "contains a NUL character", "remove it")
    return Document(path.name, match[1], text, hashlib.sha256(data).hexdigest())
