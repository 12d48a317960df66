"""Recognise by its first bytes a file that is not the expected text file, or text of another format."""

import codecs
import io
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from stage.errors import BadRows, StageError

from parquetizer.raw.files import RawFile
from parquetizer.raw.zip_archive import zip_members

HEAD: Final = 1 << 12  # bytes
UNPACK: Final = "unpack it, and list the unpacked file in sources.csv"
MEMBERS: Final = 'name its members in the input, as in members: "*.csv"'
CONVERT: Final = "save it as CSV"
NAMES: Final = {
    "csv": "CSV",
    "lines": "lines of text",
    "json": "JSON",
    "jsonl": "JSON lines",
    "parquet": "Parquet",
    "arrow": "Arrow",
}
# Signatures: https://en.wikipedia.org/wiki/List_of_file_signatures
SIGNATURES: Final = (
    (b"PAR1", "a Parquet file", "set format: parquet"),
    (b"ARROW1\0\0", "an Arrow file", "set format: arrow"),
    (b"\x1f\x8b", "a gzip file", UNPACK),
    (b"BZh", "a bzip2 file", UNPACK),
    (b"\xfd7zXZ\0", "an xz file", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"SQLite format 3\0", "an SQLite database", "export its table as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (xls)", CONVERT),
    (b"%PDF-", "a PDF document", "save its data as CSV"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", CONVERT),
    (b"Obj\x01", "an Avro file", CONVERT),
    (b"\x93NUMPY", "a NumPy array", CONVERT),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", "correct parquetizer.inputs"),
    (b"\xff\xd8\xff", "a JPEG image", "correct parquetizer.inputs"),
)
# The longer one first: that of UTF-32 begins with that of UTF-16.
MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def kind_error(
    raw: RawFile, error: StageError, encoding: str, expected: str = "csv", fixes: Mapping[str, str] = {}
) -> StageError:
    """Return an error with the kind of a file that is not of the ``expected`` format, or ``error`` if it may be.

    ``fixes`` by kind replace the usual ones.
    """
    kind, fix = _kind(raw, raw.head(HEAD), encoding, expected)
    return BadRows(raw, f"is {kind}, not {NAMES[expected]}", fixes.get(kind, fix)) if kind else error


def _kind(raw: RawFile, head: bytes, encoding: str, expected: str) -> tuple[str, str]:
    for signature, kind, fix in SIGNATURES:
        if head.startswith(signature):
            return kind, fix
    if head.startswith(b"PK\x03\x04"):
        return ("an Excel workbook (xlsx)", CONVERT) if _is_workbook(raw) else ("a zip archive", MEMBERS)
    if head[257:262] == b"ustar":
        return "a tar archive", MEMBERS
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page, perhaps an error page", "correct the URL in sources.csv"
    if start.startswith(b"<?xml"):
        return "an XML document", CONVERT
    if not codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        if wide := wide_encoding(head):
            return f"text in {wide.upper()}", f"set encoding: {wide}"
        if not expected.startswith("json") and (kind := _json_kind(head)):
            return kind, "set format: json"
    return "", ""


def _is_workbook(raw: RawFile) -> bool:
    with suppress(StageError):
        return any(True for _ in zip_members(raw, lambda name: name.startswith("xl/")))
    return False


def wide_encoding(head: bytes) -> str:
    """Return the encoding of text of two or four bytes per character, or "" for other text."""
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 4 > len(head) and not min(even, odd):
        return "utf-16-be" if even else "utf-16-le"
    return ""


def _json_kind(head: bytes) -> str:
    """Return the kind of JSON, or "" for other text: JSON starts with an object, or a list of objects."""
    line = io.BytesIO(head.removeprefix(codecs.BOM_UTF8).lstrip()).readline().strip()
    if line.startswith(b"{"):
        try:
            is_object = isinstance(json.loads(line), dict)
        except (ValueError, RecursionError):
            is_object = False
        return "JSON lines" if is_object else "JSON" if line == b"{" or line[1:].lstrip().startswith(b'"') else ""
    return "JSON" if line == b"[" or line.startswith((b"[{", b"[[", b'["')) else ""
