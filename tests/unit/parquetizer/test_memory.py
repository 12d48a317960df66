"""More data take as much memory, in every format, compressed or in an archive."""

import gzip
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from unit.parquetizer.tables import write_params

MOST = 320 * 1024  # kB
SCHEMA = pa.schema([("a", pa.string()), ("b", pa.int64())])
SCRIPT = """
import atexit, sys
from pathlib import Path
from parquetizer.cli import cli
def peak():
    status = Path("/proc/self/status").read_text().splitlines()
    print(next(line for line in status if "VmHWM" in line).split()[1], file=sys.stderr)
atexit.register(peak)
cli()
"""


def batches(count: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, count, 10_000):
        numbers = range(start, start + 10_000)
        texts = [f"some text number {number} " * 10 for number in numbers]
        yield pa.record_batch([pa.array(texts), pa.array(numbers, pa.int64())], schema=SCHEMA)


def write_csv(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.write("a,b\n")
        for batch in batches(count):
            rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            file.writelines(f"{text},{number}\n" for text, number in rows)


def write_json(path: Path, count: int, array: str = "", end: str = "") -> None:
    with path.open("w") as file:
        file.write(array)
        for batch in batches(count):
            rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            file.writelines(f'{"," * bool(array)}{{"a": "{text}", "b": {number}}}\n' for text, number in rows)
        file.write(end)


def write_parquet(path: Path, count: int) -> None:
    """All in one row group, as pandas writes up to a million rows."""
    table = pa.Table.from_batches(batches(count))
    pq.write_table(table, path, row_group_size=count, use_dictionary=False, compression="none")


def write_arrow(path: Path, count: int) -> None:
    with pa.ipc.new_file(path, SCHEMA) as file:
        for batch in batches(count):
            file.write_batch(batch)


def write_stream(path: Path, count: int) -> None:
    with gzip.open(path, "wb", 1) as packed, pa.ipc.new_stream(packed, SCHEMA) as file:
        for batch in batches(count):
            file.write_batch(batch)


def write_zip(path: Path, count: int) -> None:
    write_csv(Path("x.csv"), count)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write("x.csv")


def write_tar(path: Path, count: int) -> None:
    write_csv(Path("x.csv"), count)
    with tarfile.open(path, "w:xz", preset=0) as archive:
        archive.add("x.csv")


WRITERS = {
    "lines": ("json", write_json),
    "array": ("json", lambda path, count: write_json(path, count, "[{}", "]")),
    "array under a name": ("json", lambda path, count: write_json(path, count, '{"data": [{}', "]}")),
    "parquet": ("parquet", write_parquet),
    "arrow": ("arrow", write_arrow),
    "stream.gz": ("arrow", write_stream),
    "zip": ("csv", write_zip),
    "tar.xz": ("csv", write_tar),
}


@pytest.mark.extended
@pytest.mark.parametrize("kind", WRITERS)
def test_memory_does_not_grow_with_the_file(kind):
    format, write = WRITERS[kind]
    Path("raw").mkdir()
    source = {"file": "data"} | ({"members": "*.csv"} if kind in ("zip", "tar.xz") else {})
    write_params({"a": "string", "b": "int64"}, [source], format=format, rows=["data"] * ("name" in kind))
    peaks = []
    for count in (150_000, 450_000):  # 35 and 105 MB, more than a row group of the output
        write(Path("raw/data"), count)
        peaks.append(peak())
    assert peaks[1] < min(MOST, 1.3 * peaks[0]), peaks


@pytest.mark.extended
@pytest.mark.parametrize("type", ["string", "binary"])
def test_memory_does_not_grow_with_the_size_of_values(type):
    """A row group of as many rows as usual would have 1.3 GB."""
    Path("raw").mkdir()
    write_params({"a": type}, [{"file": "data"}], format="parquet")
    with pq.ParquetWriter("raw/data", pa.schema([("a", type)]), use_dictionary=False, compression="none") as file:
        for number in range(60):
            values = [f"{number} {row}".ljust(10_000, "x") for row in range(1_000)]
            file.write_table(pa.table({"a": pa.array(values).cast(type)}))
    assert peak() < MOST


def peak() -> int:
    """Return the peak memory, in kB, of the command that makes a table and its manifest."""
    command = [sys.executable, "-c", SCRIPT, "table", "raw", "out.parquet", "samples.parquet"]
    done = subprocess.run([*command, "--params", "params.yaml", "-q"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split()[-1])
