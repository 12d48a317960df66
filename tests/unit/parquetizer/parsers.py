"""Every parser of the parquetizer as one function from bytes to a number of samples, and files to begin with.

Run as a program, it reads a number of damaged files and tells time and memory: parsers.py NAME NUMBER.
"""

import dataclasses
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from parquetizer import (
    Column,
    DocumentsSettings,
    IdxInput,
    IdxSettings,
    TextInput,
    TextSettings,
    list_documents,
    parquetize_idx,
    parquetize_text,
)
from parquetizer.captions import read_captions
from parquetizer.documents import read_document
from parquetizer.idx_input import open_idx
from parquetizer.jpeg import read_jpeg
from parquetizer.text_input import read_texts
from PIL import Image
from samples import read_manifest
from stage.errors import StageError
from unit.parquetizer.folders import (
    PROCESSED,
    RAW,
    SAMPLES,
    encoded,
    encoded_table,
    gzip_of,
    idx,
    jpeg,
    pixels,
    write,
    zipped,
)
from unit.parquetizer.mutants import by_dice

MORE_MEMORY = 1 << 30  # than the imports took; what is not used of it costs nothing


@dataclasses.dataclass(frozen=True)
class Parser:
    """``read`` counts the samples of a raw file, ``write`` those in the outputs made of it; both may refuse it."""

    read: Callable[[bytes], int]
    write: Callable[[bytes], int]
    whole: tuple[bytes, ...]
    tokens: tuple[bytes, ...]


IMAGES = (Column("image", "uint8", shape=(2, 3)), Column("label", "uint8", classes=("a", "b", "c")))
TEXTS = (Column("text", "string"), Column("label", "string", classes=("joy", "anger", "fear")))
IDX = IdxSettings((IdxInput("images", "labels", "train"),), IMAGES)


def _put(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)  # ext4 waits for the disk where a file is written over
    path.write_bytes(data)


def _idx(file: str) -> tuple[Callable[[bytes], int], Callable[[bytes], int]]:
    def prepared(data: bytes) -> None:
        write({"raw/images": idx(pixels(4, 2, 3)), "raw/labels": idx(np.arange(4) % 3), f"raw/{file}": data})

    def read(data: bytes) -> int:
        _put(RAW / file, data)
        with open_idx(RAW / file, (2, 3) if file == "images" else ()) as opened:
            rows = sum(len(opened.read(1)) for _ in range(opened.count))
            opened.check_end()
        return rows

    def written(data: bytes) -> int:
        prepared(data)
        parquetize_idx(RAW, PROCESSED, SAMPLES, IDX)
        return _rows()

    return read, written


def _text(settings: TextSettings) -> tuple[Callable[[bytes], int], Callable[[bytes], int]]:
    def read(data: bytes) -> int:
        _put(RAW / "texts", data)
        return sum(len(batch) for batch in read_texts(RAW / "texts", settings))

    def written(data: bytes) -> int:
        _put(RAW / "texts", data)
        parquetize_text(RAW, PROCESSED, SAMPLES, settings)
        return _rows()

    return read, written


def _rows() -> int:
    rows = sum(len(pq.read_table(path)) for path in PROCESSED.rglob("*.parquet"))
    assert read_manifest(SAMPLES).rows == len(pq.read_table(SAMPLES)) == rows
    return rows


def _captions(data: bytes) -> int:
    _put(RAW / "captions.json", data)
    return len(read_captions(RAW / "captions.json", RAW / "pictures"))


def _jpeg(data: bytes) -> int:
    _put(RAW / "image.jpg", data)
    assert read_jpeg(RAW / "image.jpg") == data
    return 1


DOCUMENTS = DocumentsSettings(max_document_bytes=200)


def _document(data: bytes) -> int:
    _put(RAW / "a.md", data)
    assert read_document(RAW / "a.md", DOCUMENTS) == data
    return 1


def _documents(data: bytes) -> int:
    write({"documents/a.md": data})
    documents = list_documents(Path("documents"), SAMPLES, DOCUMENTS).documents
    assert read_manifest(SAMPLES).rows == documents
    return documents


def _texts_in(format: str, *whole: bytes, tokens: tuple[bytes, ...] = (), **rest: object) -> Parser:
    settings = dataclasses.replace(
        TextSettings((TextInput("texts"),), format, TEXTS, splits={"train": 1.0}, max_text_bytes=100, key=("text",)),
        **rest,  # type: ignore[arg-type]  # names and types of TextSettings
    )
    return Parser(*_text(settings), whole, tokens or (b"x", b";", b"\n"))


def _table(count: int, **options: object) -> bytes:
    texts = [f"text {number % 7}" for number in range(count)]
    return encoded_table(pa.table({"text": texts, "label": ["joy", "fear"] * (count // 2)}), **options)


WORDS = (b"text", b"joy", b"anger", b"2", b"\xc3\xbc", b"\xf0\x9f\x99\x82", b" ", b"\n", b"\r\n", b"\r", b"\0", b"\xff")
MARKS = (b";", b",", b'"', b'""', b"\xef\xbb\xbf", b"x" * 120, b"\xe2\x80\xa8", b"\xed\xa0\x80")
JSON = (
    *(b"{", b"}", b"[", b"]", b":", b",", b'"', b'"text": ', b'"label": ', b'"x"', b'"joy"', b"\\u0000", b"\\ud83d"),
    *(b"NaN", b"-Infinity", b"1e999", b"true", b"null", b"\\", b"1" * 5000, b"[" * 2000, b'{"a":' * 2000, b"2"),
)
NAMES = (b'"image": ', b'"caption": ', b'"a.jpg"', b'"b.jpg"', b'"../x.jpg"', b'"<image>"', b'""', b'"c.png"')
LINE = b'{"text": "a \\"text\\" \\ud83d\\ude42", "label": "joy"}\n'
ENTRIES = [{"image": "a.jpg", "caption": "one"}, {"image": "b.jpg", "caption": "the oth\u00e9r"}]
SEGMENTS = (
    b"\xff\xd8",
    b"\xff\xd9",
    b"\xff\xc0",
    b"\xff\xc4",
    b"\xff\xda",
    b"\xff\xe1",
    b"Exif\0\0",
    b"MPF\0",
    b"II*\0",
)

PARSERS = {
    "idx": Parser(*_idx("images"), (idx(pixels(4, 2, 3)),), (b"\0\0\x08\x03", b"\0\0\0\x04", b"\xff" * 4, b"\0")),
    "idx gzip": Parser(
        *_idx("labels"),
        (zipped(idx(np.arange(4) % 3)), gzip_of(idx(np.arange(4) % 3), level=0), gzip_of(idx(np.zeros(4)), name=b"x")),
        (b"\x1f\x8b\x08\x00", b"\0" * 4, b"\xff", zipped(b""), zipped(b"\0\0\x08\x01")),
    ),
    "lines": _texts_in("lines", b"a text;joy\nan \xc3\xbcther;2\r\n\nx;y;fear", tokens=(*WORDS, *MARKS)),
    "lines in utf-16": _texts_in(
        "lines", "a text;joy\nan üther;2\n".encode("utf-16"), tokens=(b"\0\xd8", b"\n\0", b";\0"), encoding="utf-16"
    ),
    "csv": _texts_in(
        "csv", b'label,text\njoy,"a ""text"""\n2,"two\nlines"\r\nfear,x', tokens=(*WORDS, *MARKS, b"text,label\n")
    ),
    "jsonl": _texts_in("jsonl", LINE * 2 + b'\n{"label": 2, "text": "\xc3\xbc"}\r\n', tokens=(*JSON, *WORDS)),
    "parquet": _texts_in(
        "parquet",
        *(_table(4), _table(40, use_dictionary=True, compression="zstd"), _table(40, write_statistics=True)),
        _table(20, compression="snappy", data_page_version="2.0", row_group_size=7),
        tokens=(b"PAR1", b"\x15\x00", b"\xff" * 4, b"\0" * 8),
    ),
    "captions": Parser(_captions, _captions, (json.dumps(ENTRIES).encode(),), (*JSON, *NAMES)),
    "jpeg": Parser(
        *(_jpeg, _jpeg),
        (
            *(jpeg(1), jpeg(2, "L", progressive=True), jpeg(3, "CMYK"), jpeg(4, dpi=(72, 72), comment=b"a comment")),
            jpeg(5, exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0\0\0\0\0"),
            encoded(Image.new("RGB", (8, 8)), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))]),
        ),
        SEGMENTS,
    ),
    "documents": Parser(_document, _documents, (b"# B\n\ntext \xc3\xbc\n",), (*WORDS, *MARKS)),
}


def prepare() -> None:
    """Make the raw files that some parsers find beside the one that is damaged."""
    RAW.mkdir()
    write({"raw/pictures/a.jpg": jpeg(1), "raw/pictures/b.jpg": jpeg(2)})


def counted(read: Callable[[bytes], int], data: bytes) -> int | None:
    """Return the number of samples, or None for a file that is refused; whatever else is raised is a bug."""
    try:
        return read(data)
    except StageError as error:
        assert error.what and error.fix and error.code > 2
        return None


def _peak() -> int:
    """Return the most memory that the process has had, in kB (not ru_maxrss, which a child takes from its parent)."""
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line).split()[1])


def _told(name: str, number: int) -> Iterator[tuple[str, float]]:
    parser, whole, slowest, begun = PARSERS[name], 0, 0.0, time.process_time()
    for seed in range(number):
        data = by_dice(seed, parser.whole, parser.tokens)
        started = time.process_time()
        try:
            whole += counted(parser.read, data) is not None
        except BaseException:
            print(f"{name}: seed {seed}: {data!r}", file=sys.stderr)
            raise
        slowest = max(slowest, time.process_time() - started)
    yield from {"examples": number, "whole": whole, "slowest": slowest}.items()
    yield from {"seconds": time.process_time() - begun, "peak": _peak()}.items()


def main() -> None:
    """Read damaged files and print the figures as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        prepare()
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MORE_MEMORY, used + MORE_MEMORY))
        print(json.dumps(dict(_told(sys.argv[1], int(sys.argv[2])))))


if __name__ == "__main__":
    main()
