"""Every parser of the parquetizer as one function from bytes to a number of samples, and files to begin with.

Run as a program, it reads a number of damaged files and tells time and memory: parsers.py NAME NUMBER.
"""

import bz2
import dataclasses
import datetime
import json
import lzma
import os
import resource
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from parquetizer.formats.reading import read_rows
from parquetizer.kinds.captions import read_captions
from parquetizer.kinds.documents import DocumentsSettings, list_documents, read_document
from parquetizer.kinds.files import parquetize_files
from parquetizer.kinds.files_checked import checked
from parquetizer.kinds.files_settings import FilesInput, FilesSettings
from parquetizer.kinds.idx import IdxInput, IdxSettings, parquetize_idx
from parquetizer.kinds.idx_input import open_idx
from parquetizer.kinds.jpeg import read_jpeg
from parquetizer.kinds.table import parquetize_table
from parquetizer.kinds.table_settings import Input, TableSettings
from parquetizer.kinds.text import parquetize_text
from parquetizer.kinds.text_input import read_texts
from parquetizer.kinds.text_settings import TextInput, TextSettings
from parquetizer.raw.files import RawFile
from parquetizer.raw.inputs import raw_files
from PIL import Image
from samples import Column, read_manifest
from stage.errors import StageError
from unit.parquetizer.archives import arrow, tar_of, zip_of, zstd
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
from unit.parquetizer.media_files import IMAGES, SOUNDS
from unit.parquetizer.mutants import by_dice

MORE_MEMORY = 1 << 30  # than the imports took; what is not used of it costs nothing


@dataclasses.dataclass(frozen=True)
class Parser:
    """``read`` counts the samples of a raw file, ``write`` those in the outputs made of it; both may refuse it."""

    read: Callable[[bytes], int]
    write: Callable[[bytes], int]
    whole: tuple[bytes, ...]
    tokens: tuple[bytes, ...]


PIXELS = (Column("image", "uint8", shape=(2, 3)), Column("label", "uint8", classes=("a", "b", "c")))
TEXTS = (Column("text", "string"), Column("label", "string", classes=("joy", "anger", "fear")))
IDX = IdxSettings((IdxInput("images", "labels", "train"),), PIXELS)


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
        return sum(len(batch) for batch in read_texts(RawFile.of(RAW / "texts"), settings))

    def written(data: bytes) -> int:
        _put(RAW / "texts", data)
        parquetize_text(RAW, PROCESSED, SAMPLES, settings)
        return _rows()

    return read, written


def _columns(settings: TableSettings) -> tuple[Callable[[bytes], int], Callable[[bytes], int]]:
    def read(data: bytes) -> int:
        _put(RAW / "table", data)
        files = raw_files(RAW, "table", settings.inputs[0].members, settings.max_ratio)
        return sum(len(batch) for file in files for batch in read_rows(file, settings.columns, settings))

    def written(data: bytes) -> int:
        _put(RAW / "table", data)
        rows = parquetize_table(RAW, Path("table.parquet"), SAMPLES, settings).rows
        assert read_manifest(SAMPLES).rows == len(pq.read_table("table.parquet")) == rows
        return rows

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


def _media(media: str) -> tuple[Callable[[bytes], int], Callable[[bytes], int]]:
    settings = FilesSettings(
        media=media, inputs=(FilesInput("media/*"),), columns=(Column("file", media),), normalise=media == "image"
    )

    def read(data: bytes) -> int:
        file = checked(data, "file", "file", settings)
        assert file.data == data or file.notes
        return 1

    def written(data: bytes) -> int:
        write({"raw/media/file": data})
        parquetize_files(RAW, PROCESSED, SAMPLES, settings)
        return _rows()

    return read, written


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


EUROPEAN = TableSettings(
    inputs=(Input("table"),),
    columns=(
        Column("d", "date", format="%d.%m.%Y"),
        *(Column(name, kind) for name, kind in {"x": "float64", "n": "int32", "b": "bool", "t": "string"}.items()),
    ),
    delimiter=";",
    decimal=",",
    thousands=".",
    lenient_integers=True,
    trim=True,
    multiline=True,
    skip_rows=1,
    comment="#",
    skip_empty_rows=True,
    ignore=("",),
    null_values=("", "-"),
    true_values=("yes",),
    false_values=("no",),
    max_field_bytes=100,
)
BARE = TableSettings(
    inputs=(Input("table"),),
    columns=tuple(
        Column(kind, kind)
        for kind in ("timestamp[us, UTC]", "time[ms]", "duration[us]", "decimal(8, 3)", "binary", "int64", "string")
    ),
    header=False,
    delimiter="\t",
    quote="none",
    ignore=("2",),
    max_field_bytes=100,
)
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

CHATS = TableSettings(
    inputs=(Input("table"),),
    columns=tuple(
        Column(name, kind)
        for name, kind in {
            "messages": "list<struct<role: string, at: date, scores: list<int8>>>",
            "f": "float32",
            "n": "int16",
            "d": "decimal(5, 2)",
            "t": "timestamp[ms, UTC]",
            "raw": "binary",
            "b": "bool",
        }.items()
    ),
    format="json",
    ignore=("z",),
    max_field_bytes=100,
)
CHAT = (
    b'{"messages": [{"role": "a \\"b\\" \\u00fc", "at": "2024-02-29", "scores": [1, null]}, {}], "f": 1.5, "n": -7, '
    b'"d": "1.25", "t": "2024-01-01T00:00:00Z", "raw": "AP8=", "b": true, "z": [{"x": 1}]}\n{"n": 1, "d": 2.5}\n'
)
CHATTED = (
    b'"messages": ',
    b'{"role": "x"}',
    b'"n": ',
    b'"z": ',
    b"40000",
    b"1e39",
    b'"2024-13-01"',
    b"{}",
    b"\n",
    b"\r",
)
NESTED = TableSettings(inputs=(Input("table"),), columns=(*CHATS.columns[:2], Column("s", "string")))
PLAIN = TableSettings(inputs=(Input("table"),), columns=(Column("a", "string"), Column("b", "int64")))
MEMBERS = {"b.csv": b"a,b\nx,1\ny,2\n", "./a.csv": b"a,b\nz,3\n" * 1, "c.txt": b"text"}


def nested(count: int) -> pa.Table:
    """Return rows of NESTED, in other layouts of the same types."""
    messages = [[{"role": "x", "at": datetime.date(2024, 1, 1), "scores": [n % 100]}, None] for n in range(count)]
    return pa.table(
        {
            "messages": pa.array(messages, pa.large_list(CHATS.columns[0].arrow.value_type)),
            "f": pa.array([n / 4 for n in range(count)]),
            "s": pa.array([f"text {n % 3}" for n in range(count)]).dictionary_encode(),
        }
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
    "table": Parser(
        *_columns(EUROPEAN),
        (
            b'a "title\nd;x;n;b;t;;\n01.02.2020;1.234,5;1,0;yes;"two\nlines";;\n# comment "\n;;;;;;\n-;;-;no; x ;;\n',
            b"\nt;b;n;x;d\r\n\xc3\xbc;no;1.000;-,5;1.1.2000\r\n;;;;\r\n# x",
        ),
        (*WORDS, *MARKS, b"#", b"1.000", b"1,5", b"31.02.2020", b"31.12.2020", b"yes", b"-", b"t;b;n;x;d\n", b"1e999"),
    ),
    "bare table": Parser(
        *_columns(BARE),
        (
            b'2020-01-01T10:00:00Z\tx\t10:00:00.5\t1 day\t1.5\tAP8=\t1\t"quoted\n',
            b"2020-01-01\t\t10:00\tPT1H\t-12.5\t\t-7\t\xc3\xbc\r\n2020-01-01 00:00+01\t\t10:00\t12\t1e2\tQUI=\t0x1F\t",
        ),
        (
            *WORDS,
            b"\t",
            b"Z",
            b"+02:00",
            b":",
            b"-",
            b"9" * 30,
            b"1e999999999",
            b"==",
            b"AP9=",
            b"P",
            b"T",
            b"9999-12-31",
        ),
    ),
    "white space": Parser(
        *_columns(dataclasses.replace(PLAIN, delimiter="whitespace", trim=True, comment="#", max_field_bytes=100)),
        (b'a  b\n "x  y"\t1\n# c\n\n z   2 \r\n',),
        (*WORDS, *MARKS, b"\t", b"  ", b"#", b" \n ", b'" ', b' "'),
    ),
    "jsonl": _texts_in("jsonl", LINE * 2 + b'\n{"label": 2, "text": "\xc3\xbc"}\r\n', tokens=(*JSON, *WORDS)),
    "parquet": _texts_in(
        "parquet",
        *(_table(4), _table(40, use_dictionary=True, compression="zstd"), _table(40, write_statistics=True)),
        _table(20, compression="snappy", data_page_version="2.0", row_group_size=7),
        tokens=(b"PAR1", b"\x15\x00", b"\xff" * 4, b"\0" * 8),
    ),
    "json": Parser(
        *_columns(CHATS), (CHAT * 2, b"[" + CHAT.strip().replace(b"\n", b" \n, ") + b"]"), (*JSON, *CHATTED)
    ),
    "json under a name": Parser(
        *_columns(dataclasses.replace(CHATS, rows=("data", "rows"))),
        (
            b'{"v": [1, {"rows": []}], "data": {"rows": ['
            + CHAT.strip().replace(b"\n", b",\n")
            + b'], "n": 2}, "z": []}',
        ),
        (*JSON, *CHATTED, b'"data": ', b'"rows": [', b'{"data": {"rows": [{"n": 1}]}}', b"]}}"),
    ),
    "nested parquet": Parser(
        *_columns(dataclasses.replace(NESTED, format="parquet")),
        (encoded_table(nested(9)), encoded_table(nested(40), compression="zstd", use_dictionary=True)),
        (b"PAR1", b"\x15\x00", b"\xff" * 4, b"\0" * 8),
    ),
    "arrow": Parser(
        *_columns(dataclasses.replace(NESTED, format="arrow")),
        (arrow(nested(9), "file"), arrow(nested(9), "stream"), arrow(nested(40), "file", compression="zstd")),
        (b"ARROW1", b"\xff" * 4, b"\0" * 8, b"\x10\0\0\0"),
    ),
    "compressed": Parser(
        *_columns(PLAIN),
        tuple(
            packed(part) + packed(rest)
            for packed in (gzip_of, bz2.compress, lzma.compress, zstd)
            for part, rest in ((b"a,b\nx,1\n", b"y,2\n"), (b"a,b\n", b"x,1\n" * 9))
        ),
        (b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\0" * 4, b"\xff"),
    ),
    "archives": Parser(
        *_columns(dataclasses.replace(PLAIN, inputs=(Input("table", members="*.csv"),))),
        (
            *(zip_of(MEMBERS, method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)),
            *(tar_of(MEMBERS, kind) for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)),
            gzip_of(tar_of(MEMBERS, tarfile.PAX_FORMAT)),
        ),
        (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\7", b"a.csv", b"b.csv", b"../a.csv", b"\0" * 512, b"x", b"\xff" * 4),
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
    "image": Parser(
        *_media("image"), IMAGES, (*SEGMENTS, b"IHDR", b"IDAT", b"IEND", b"acTL", b"RIFF", b"WEBP", b"VP8X", b"ANIM")
    ),
    "audio": Parser(
        *_media("audio"),
        SOUNDS,
        (b"RIFF", b"WAVEfmt ", b"data", b"fLaC", b"OggS", b"\xff\xfb", b"Xing", b"ID3", b"TAG", b"\xff" * 4),
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
        except BaseException:  # also what is no Exception must say its seed
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
