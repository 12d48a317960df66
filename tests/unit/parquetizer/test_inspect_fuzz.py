"""No bytes are a bug of inspect: damaged files of all formats are read, or are errors with a place and a cure."""

import gzip
import io
import random
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from parquetizer.inspect.inspection import inspect_raw
from stage.errors import StageError

MARKS = b",;\t\"'\n\r#{}[]:-. \x00\xff\xe4"


def files() -> dict[str, bytes]:
    """Return a small file of each format."""
    table = pa.table({"a": [1, 2, None], "b": ["x", "y", "z"], "c": [[1], [], None]})
    parquet, arrow, archive = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pq.write_table(table, parquet)
    pyarrow.feather.write_feather(table, arrow, compression="uncompressed")
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("train/a.csv", "x,y\n1,2\n3,4\n")
        members.writestr("test/a.csv", "x,y\n1,2\n")
    return {
        "a.csv": b'id,name,when,v\n1,"a, b",2024-01-02,1.5\n2,"c\nd",2024-02-03,NA\n3,e,2024-02-04,"1,234"\n',
        "b.tsv": "x\ty\n1\tä\n2\tb\n".encode("cp1252"),
        "c.csv": "x;y\n1,5;a\n".encode("utf-16"),
        "d.dat": b' 18.0  8\t"a  b"\n20   4 "c"\n-1 7\td \n 2 ? "e f"\n',
        "a.jsonl": b'{"a": 1, "b": [{"c": "x"}]}\n{"a": 2.5, "b": []}\n',
        "a.json": b'[{"a": 1, "d": "2024-01-01"}, {"a": null}]',
        "b.json": b'{"version": 1, "data": [{"a": 1}, {"a": 2}], "more": {"x": []}}',
        "a.parquet": parquet.getvalue(),
        "a.arrow": arrow.getvalue(),
        "a.zip": archive.getvalue(),
        "a.csv.gz": gzip.compress(b"x,y\n1,2\n3,4\n"),
    }


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return the content with some bytes changed, added, removed, repeated, or cut off."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        if kind == 0:
            data[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            data[at:at] = bytes(chance.choice(MARKS) for _ in range(chance.randint(1, 3)))
        elif kind == 2:
            del data[at : at + chance.randint(1, 5)]
        elif kind == 3:
            data[at:at] = data[at : at + 20] * chance.randint(1, 30)
        else:
            data = data[:at] or data
    return bytes(data)


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_bytes_are_our_bug(count: int, tmp_path: Path) -> None:
    chance, originals = random.Random(17), files()
    proposals = 0
    for number in range(count):
        name = [*originals][number % len(originals)]
        path = tmp_path / name
        path.write_bytes(damaged(originals[name], chance))
        try:
            inspect_raw(tmp_path)
            proposals += 1
        except StageError as error:
            assert error.fix
        path.unlink()
    assert proposals > count // 10
