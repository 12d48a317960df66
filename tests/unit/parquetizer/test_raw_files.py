"""Raw files are read as they are sent: compressed, several by a pattern, or members of archives."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest
from parquetizer.raw import compression
from parquetizer.raw.files import RawFile
from parquetizer.raw.globs import matcher
from parquetizer.raw.inputs import raw_files
from stage.errors import CorruptFile, PolicyViolation
from unit.parquetizer.archives import tar_of, zip_of, zstd
from unit.parquetizer.tables import RAW, SAMPLES, parquetize, write_raw

CSV = b"a,b\n" + b"".join(b"text %d,%d\n" % (n, n) for n in range(2000))
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}
MEMBERS = {"data/y.csv": b"a,b\ny,2\n", "./data/x.csv": b"a,b\nx,1\n", "data/._x.csv": b"\0", "notes.txt": b"text"}


@pytest.mark.parametrize("kind", PACKED)
def test_a_compressed_file_is_read_as_its_content(kind):
    plain = parquetize(CSV).text
    packed = PACKED[kind](CSV)
    assert parquetize(packed).text == plain
    half = CSV[: CSV.index(b"\n", len(CSV) // 2) + 1]
    assert (
        parquetize(PACKED[kind](half) + PACKED[kind](CSV[len(half) :])).text == plain
    )  # two streams, as pbzip2 writes


@pytest.mark.parametrize("kind", PACKED)
def test_a_damaged_compressed_file_is_refused(kind):
    packed = PACKED[kind](CSV)
    for damaged in (packed[:-1], packed[:-9], packed[: len(packed) // 2], packed + b"x", packed + b"\0" * 8):
        outcome = parquetize(damaged)
        assert outcome.code == 23 and outcome.error.startswith("raw/a.csv: damaged "), damaged[-9:]


def test_an_error_in_a_compressed_file_has_its_line():
    outcome = parquetize(gzip.compress(CSV + b"x,y\n"))
    assert outcome.error.startswith("raw/a.csv:2002: b: expected int64, got 'y'")


@pytest.mark.parametrize("kind", PACKED)
def test_a_bomb_is_refused_unless_the_ratio_is_raised(kind, monkeypatch):
    monkeypatch.setattr(compression, "FREE", 1 << 20)
    write_raw(PACKED[kind](b"a,b\n" + b"x,1\n" * 1_000_000))
    with RawFile.of(RAW / "a.csv").open() as file, pytest.raises(PolicyViolation, match="max-ratio"):
        while file.read(1 << 16):
            pass
    with RawFile.of(RAW / "a.csv", max_ratio=10**6).open() as file:
        assert sum(map(len, iter(lambda: file.read(1 << 16), b""))) == 4_000_004


def test_xz_that_needs_much_memory_is_refused():
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}]
    outcome = parquetize(lzma.compress(CSV, filters=filters))
    assert outcome.code == 14 and "128 MiB" in outcome.error


def test_files_of_a_pattern_are_read_sorted_by_name():
    write_raw({"part-2.csv": b"a,b\ny,2\n", "part-1.csv.gz": gzip.compress(b"a,b\nx,1\n"), "other": b""})
    outcome = parquetize({}, inputs=["part-*"])
    assert outcome.text == "a,b\nx,1\ny,2\n"
    assert pq.read_table(SAMPLES)["source"].to_pylist() == ["part-1.csv.gz", "part-2.csv"]
    assert parquetize({}, inputs=["none-*"]).error.startswith("raw/none-*: not found")


@pytest.mark.parametrize("pattern", ["*.csv", "data/*.csv", "**/*.csv", "data/[x-y].csv", "data/?.csv"])
@pytest.mark.parametrize("pack", [zip_of, tar_of, lambda members: gzip.compress(tar_of(members))])
def test_members_of_an_archive_are_read_by_a_pattern(pack, pattern):
    outcome = parquetize({"d": pack(MEMBERS)}, inputs=[{"file": "d", "members": pattern}])
    if pattern == "*.csv":
        assert outcome.code == 10 and outcome.error.startswith("raw/d: no member matches '*.csv'")
        return
    assert sorted(outcome.text.splitlines()[1:]) == ["x,1", "y,2"]
    assert sorted(pq.read_table(SAMPLES)["source"].to_pylist()) == ["d/data/x.csv", "d/data/y.csv"]


def test_members_are_sorted_but_those_of_a_compressed_tar():
    write_raw({"z": zip_of(MEMBERS), "t": tar_of(MEMBERS), "g": lzma.compress(tar_of(MEMBERS))})
    names = {name: [file.name for file in raw_files(RAW, name, "**/*.csv")] for name in "ztg"}
    assert names["z"] == ["z/data/x.csv", "z/data/y.csv"] and names["t"] == ["t/data/x.csv", "t/data/y.csv"]
    assert names["g"] == ["g/data/y.csv", "g/data/x.csv"]


def test_a_member_of_a_compressed_tar_is_read_again_later():
    write_raw({"g": gzip.compress(tar_of({"a.csv": CSV, "b.csv": b"b"}))})
    first, second = list(raw_files(RAW, "g", "*.csv"))
    assert [second.open().read(), first.open().read()] == [b"b", CSV]


def test_an_error_in_a_member_names_it():
    outcome = parquetize({"d.zip": zip_of({"x.csv": b"a,b\nx,y\n"})}, inputs=[{"file": "d.zip", "members": "*.csv"}])
    assert outcome.error.startswith("raw/d.zip/x.csv:2: b: expected int64, got 'y'")


def test_compressed_members_are_decompressed():
    data = {"d.zip": zip_of({"x.csv.gz": gzip.compress(b"a,b\nx,1\n")})}
    assert parquetize(data, inputs=[{"file": "d.zip", "members": "*.csv.gz"}]).text == "a,b\nx,1\n"


def test_members_of_a_plain_file_are_refused():
    outcome = parquetize({"a.csv": CSV}, inputs=[{"file": "a.csv", "members": "*"}])
    assert (outcome.code, outcome.error.split(";")[0]) == (20, "raw/a.csv: is not a zip or tar archive")


def test_a_zip_of_zip64_is_read():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, archive.open("x.csv", "w", force_zip64=True) as member:
        member.write(b"a,b\nx,1\n")
    assert parquetize({"d": file.getvalue()}, inputs=[{"file": "d", "members": "*"}]).text == "a,b\nx,1\n"


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_in_tar_archives_are_read(kind):
    name = f"{'folder/' * 30}ü.csv" if kind != tarfile.USTAR_FORMAT else f"{'folder/' * 15}x.csv"
    write_raw({"t": tar_of({name: b"a"}, kind)})
    assert [file.name for file in raw_files(RAW, "t", "**/*.csv")] == [f"t/{name}"]


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*.csv", ["a.csv"], ["a/b.csv", ".a.csv", "a.csv.gz"]),
        ("**/*.jpg", ["a.jpg", "x/y/a.jpg"], ["x/._a.jpg", ".x/a.jpg", "a.jpeg"]),
        ("train/**", ["train/a", "train/b/c"], ["train", "test/a", "train/.a"]),
        ("a?[!0-9].[ct]sv", ["abc.csv", "a__.tsv"], ["ab1.csv", "a/c.csv"]),
        (".hidden/*", [".hidden/a"], ["hidden/a"]),
        ("a+(b).csv", ["a+(b).csv"], ["aab.csv"]),
    ],
)
def test_patterns_match_as_in_a_shell(pattern, matching, others):
    matches = matcher(pattern)
    assert [name for name in [*matching, *others] if matches(name)] == matching


def test_parquet_in_an_archive_is_read_up_to_a_limit(monkeypatch):
    from parquetizer.raw import files

    table = io.BytesIO()
    pq.write_table(pq.read_table(SAMPLES) if SAMPLES.exists() else _table(), table)
    settings: dict[str, Any] = {
        "format": "parquet",
        "inputs": [{"file": "d.zip", "members": "*"}],
        "output": "out.parquet",
    }
    assert parquetize({"d.zip": zip_of({"x.parquet": table.getvalue()})}, **settings).result["rows"] == 3
    monkeypatch.setattr(files, "MAX_IN_MEMORY", 100)
    outcome = parquetize({"d.zip": zip_of({"x.parquet": table.getvalue()})}, **settings)
    assert outcome.code == 14 and outcome.error.startswith("raw/d.zip/x.parquet: compressed, and larger than")
    settings["inputs"] = [{"file": "d.tar", "members": "*"}]
    assert parquetize({"d.tar": tar_of({"x.parquet": table.getvalue()})}, **settings).result["rows"] == 3


def _table():
    import pyarrow as pa

    return pa.table({"a": ["x", "y", "z"], "b": [1, 2, 3]})


def test_a_truncated_member_is_refused():
    data = tar_of({"a.csv": CSV})
    for cut in (len(CSV) // 2, 512 + len(CSV) - 1):
        write_raw({"t": data[:cut]})
        with pytest.raises(CorruptFile):
            [file.open().read() for file in raw_files(RAW, "t", "*.csv")]
