"""Write the manifest of text files that are samples as a whole; the files themselves stay as they are."""

import dataclasses
import hashlib
import os
from pathlib import Path

import pyarrow as pa
from samples import ManifestWriter
from stage import params
from stage.errors import BadRows, EmptyInput, InputMissing, PolicyViolation, UsageError
from stage.inside import is_regular
from stage.output import replacing
from stage.progress import progress

from parquetizer.columns import check_key
from parquetizer.raw.files import files_in

SCHEMA = pa.schema([("name", pa.string()), ("text", pa.string())])
SPLIT = "all"  # documents have no splits


@dataclasses.dataclass(frozen=True)
class DocumentsSettings:
    """Suffix and size of the documents, and the columns that identify one."""

    suffix: str = ".md"
    max_document_bytes: int = 1 << 24
    key: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "DocumentsSettings":
        """Read the section ``parquetizer`` of a params file. Raises UsageError if it is invalid."""
        where = f"{path} parquetizer"
        settings = params.build(cls, params.section(path, "parquetizer"), where)
        if not 0 < settings.max_document_bytes < 1 << 31:
            what = f"invalid max-document-bytes {settings.max_document_bytes}: expected 1 to 2^31 - 1"
            raise UsageError(where, what, "correct it")
        check_key(settings.key, SCHEMA.names, where)
        return settings


@dataclasses.dataclass(frozen=True)
class DocumentsResult:
    """The manifest, and the number and bytes of its documents."""

    output: str
    documents: int
    bytes: int


def list_documents(raw: Path, samples: Path, settings: DocumentsSettings) -> DocumentsResult:
    """Write the manifest of the files in ``raw``, sorted by name; hidden files are included.

    Raises InputMissing, EmptyInput, and the errors of ``read_document``.
    """
    if not raw.is_dir():
        raise InputMissing(raw, "not found", "run the fetcher")
    if raw.resolve() in samples.resolve().parents:
        raise UsageError(samples, f"is inside {raw}, where every file is a document", "write it to another folder")
    paths = sorted(files_in(raw), key=os.fsencode)
    if not paths:
        raise EmptyInput(raw, "no documents", "run the fetcher")
    files, size = {}, 0
    with (
        replacing(samples) as (temporary,),
        ManifestWriter(temporary, SCHEMA, settings.key) as manifest,
        progress("reading documents", len(paths), "files") as advance,
    ):
        for path in paths:
            name = path.relative_to(raw).as_posix()
            data = read_document(path, settings)
            batch = pa.record_batch([pa.array([name]), pa.array([data], pa.binary()).cast(pa.string())], schema=SCHEMA)
            file = f"{raw.as_posix()}/{name}"
            manifest.add(batch, split=SPLIT, file=file, source=name)
            files[file] = hashlib.sha256(data).hexdigest()
            size += len(data)
            advance(1)
        manifest.finish(files)
    return DocumentsResult(samples.as_posix(), len(paths), size)


def read_document(path: Path, settings: DocumentsSettings) -> bytes:
    """Return the bytes of a document.

    Raises BadRows unless it is UTF-8 text of the declared suffix and size, EmptyInput, or PolicyViolation for its name.
    """
    if not path.as_posix().isprintable():
        what = f"invalid name {path.name!r:.80}: contains a control character"
        raise PolicyViolation(path.parent, what, "rename the file")
    if not path.name.endswith(settings.suffix):
        raise BadRows(path, f"expected suffix {settings.suffix}", "remove it from sources.csv, or correct suffix")
    if not is_regular(path):
        raise BadRows(path, "is not a regular file", "remove it")
    if path.stat().st_size > settings.max_document_bytes:
        raise BadRows(path, f"is larger than {settings.max_document_bytes} bytes", "raise max-document-bytes")
    data = path.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadRows(f"{path}@{error.start}", f"invalid utf-8: {error.reason}", "save it as UTF-8") from error
    if "\0" in text:
        raise BadRows(f"{path}@{data.index(0)}", "NUL character", "remove it")
    if not text.strip():
        raise EmptyInput(path, "the document is empty", "remove it from sources.csv")
    return data
