"""Every raw format to Parquet, with and without the manifest, against polars doing the same; ``run.py`` runs it.

The clock is processor time: user and system, of the process and its children. ``cores`` is that over the time taken.
"""

import functools
import gzip
import io
import json
import operator
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from bench.measuring import SLOW_RUNS, compare, measure, tool_command
from PIL import Image

CPU = operator.attrgetter("cpu")
ROWS, IMAGES, SIDE = 1_200_000, 20_000, 64
TYPES = {
    **{"id": "int64", "text": "string", "category": "string", "day": "date", "is_new": "bool"},
    **{"price": "float64", "weight": "float64", "ratio": "float64", "count": "int32", "stars": "int8"},
}
EUROPEAN: dict[str, object] = {"delimiter": ";", "decimal": ","}
# How each raw file is written and read: its settings, and what polars does.
CSV = "pl.scan_csv(raw, schema_overrides=types)"
MEMBER = "zipfile.ZipFile(raw).open('a.csv')"
LINES = "tarfile.open(raw).extractfile('a.jsonl')"
TYPED = ".with_columns(pl.col('day').str.to_date()).cast(types)"  # JSON has no dates
FORMATS: dict[str, tuple[dict[str, object], str]] = {
    "a.csv": ({}, CSV),
    "european.csv": (EUROPEAN, "pl.scan_csv(raw, separator=';', decimal_comma=True, schema_overrides=types)"),
    "a.tsv.gz": ({"delimiter": "\t"}, "pl.scan_csv(raw, separator='\\t', schema_overrides=types)"),
    "a.csv.zip": ({}, f"pl.read_csv({MEMBER}, schema_overrides=types).lazy()"),
    "a.jsonl": ({"format": "json"}, f"pl.scan_ndjson(raw){TYPED}"),
    "a.json": ({"format": "json"}, f"pl.read_json(raw){TYPED}.lazy()"),
    "a.tar.gz": ({"format": "json"}, f"pl.read_ndjson({LINES}.read()){TYPED}.lazy()"),
    "a.jsonl.zst": ({"format": "json"}, f"pl.read_ndjson(raw){TYPED}.lazy()"),
    "a.parquet": ({"format": "parquet"}, "pl.scan_parquet(raw)"),
    "a.arrow": ({"format": "arrow"}, "pl.scan_ipc(raw)"),
}
MEMBERS = {"a.csv.zip": "a.csv", "a.tar.gz": "a.jsonl"}
POLARS = """
import sys, tarfile, zipfile
import polars as pl
raw, types = sys.argv[1], {"day": pl.Date, "count": pl.Int32, "stars": pl.Int8}
SCAN.sink_parquet("polars.parquet")
"""
POLARS_FILES = """
import pathlib
import polars as pl
paths = sorted(pathlib.Path("images").glob("*/*.png"))
images = [{"bytes": path.read_bytes(), "path": path.name} for path in paths]
pl.DataFrame({"image": images, "label": [path.parent.name for path in paths]}).write_parquet("polars.parquet")
"""


def bench_formats(folder: Path) -> None:
    """Measure a table of text, numbers and dates in every format."""
    table = _table()
    for name, (settings, scan) in FORMATS.items():
        _write(table, folder / name)
        source = {"file": name, **({"members": MEMBERS[name]} if name in MEMBERS else {})}
        columns = [{"name": column, "type": kind} for column, kind in TYPES.items()]
        params = {"dataset": {"columns": columns}, "parquetizer": {**settings, "inputs": [source]}}
        (folder / "params.yaml").write_text(json.dumps(params))
        tool = [*tool_command("parquetizer"), "table", "--params", "params.yaml", ".", "out.parquet"]
        theirs = functools.partial(measure, sys.executable, "-c", POLARS.replace("SCAN", scan), name, folder=folder)
        for more, bound, outputs in (("no manifest", "<= 2", []), ("with the manifest", "<= 4", ["s.parquet"])):
            ours = functools.partial(measure, *tool, *outputs, folder=folder)
            compare(f"{name}, {_megabytes(folder / name)} MB, {more}", bound, ours, theirs, SLOW_RUNS, CPU)
        (folder / name).unlink()


def bench_files(folder: Path) -> None:
    """Measure a folder of images by class; there is no such table without a manifest."""
    random = np.random.default_rng(0)
    for number in range(IMAGES):
        path = folder / "images" / f"class{number % 10}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(path, compress_level=1)
    classes = [f"class{number}" for number in range(10)]
    columns = [{"name": "image", "type": "image"}, {"name": "label", "type": "int64", "classes": classes}]
    section = {"media": "image", "labels": "folder", "inputs": [{"file": "images/**"}]}
    (folder / "params.yaml").write_text(json.dumps({"dataset": {"columns": columns}, "parquetizer": section}))
    tool = [*tool_command("parquetizer"), "files", "--params", "params.yaml", ".", "out", "s.parquet"]
    ours = functools.partial(measure, *tool, folder=folder)
    theirs = functools.partial(measure, sys.executable, "-c", POLARS_FILES, folder=folder)
    size = _megabytes(folder / "images")
    compare(f"{IMAGES:,} images, {size} MB, with the manifest", "<= 4", ours, theirs, SLOW_RUNS, CPU)


def _megabytes(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) // 1_000_000


def _table() -> pl.DataFrame:
    random = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(5_000)])
    numbers = np.arange(ROWS)
    price, weight, ratio = random.gamma(4, 10, ROWS).round(2), random.gamma(2, 1, ROWS).round(3), random.random(ROWS)
    chosen = words[random.integers(0, len(words), (ROWS, 8))]
    return pl.DataFrame(
        {
            "id": numbers,
            "text": pl.DataFrame(chosen).select(pl.concat_str(pl.all(), separator=" ")).to_series(),
            "category": words[random.integers(0, 50, ROWS)],
            "day": pl.Series(random.integers(15_000, 20_000, ROWS), dtype=pl.Int32).cast(pl.Date),
            "is_new": random.random(ROWS) < 0.5,
            **{"price": price, "weight": weight, "ratio": ratio},
            "count": pl.Series(random.integers(0, 10_000, ROWS), dtype=pl.Int32),
            "stars": pl.Series(random.integers(1, 6, ROWS), dtype=pl.Int8),
        }
    )


def _lines(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_ndjson(buffer)
    return buffer.getvalue()


def _csv(table: pl.DataFrame, separator: str = ",", decimal_comma: bool = False) -> bytes:
    buffer = io.BytesIO()
    table.write_csv(buffer, separator=separator, decimal_comma=decimal_comma)
    return buffer.getvalue()


def _zip(body: bytes, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a.csv", body)


def _tar(body: bytes, path: Path) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        member = tarfile.TarInfo("a.jsonl")
        member.size = len(body)
        archive.addfile(member, io.BytesIO(body))


def _array(table: pl.DataFrame) -> bytes:
    return b"[" + _lines(table).rstrip(b"\n").replace(b"\n", b",\n") + b"]\n"


WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "a.csv": lambda table, path: path.write_bytes(_csv(table)),
    "european.csv": lambda table, path: path.write_bytes(_csv(table, separator=";", decimal_comma=True)),
    "a.tsv.gz": lambda table, path: path.write_bytes(gzip.compress(_csv(table, separator="\t"), 1)),
    "a.csv.zip": lambda table, path: _zip(_csv(table), path),
    "a.jsonl": lambda table, path: path.write_bytes(_lines(table)),
    "a.json": lambda table, path: path.write_bytes(_array(table)),
    "a.tar.gz": lambda table, path: _tar(_lines(table), path),
    "a.jsonl.zst": lambda table, path: table.write_ndjson(path, compression="zstd", compression_level=1),
    "a.parquet": lambda table, path: table.write_parquet(path),
    "a.arrow": lambda table, path: table.write_ipc(path),
}


def _write(table: pl.DataFrame, path: Path) -> None:
    WRITERS[path.name](table, path)


BENCHES = (bench_formats, bench_files)
