"""The logical hash and the duplicates: what they depend on, and against naive versions of themselves."""

import dataclasses
import hashlib
import json
from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import samples.checks
import samples.manifest
import samples.ranges
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import Duplicates, Leak, ManifestWriter, find_duplicates, find_leaks, logical_hash, read_manifest
from unit.samples.batches import batch_of, write_manifest

SCHEMA = pa.schema([("text", pa.string()), ("label", pa.int64())])
ROWS: list[Any] = [
    ("val", "a", 1),
    ("train", "b", 2),
    ("train", "c", 3),
    ("train", "b", 2),
    ("test", "ü", 4),
    ("train", "a", 1),
]
SPLITS = ("test", "train", "val", "ü")
drawn_rows = st.lists(st.tuples(st.sampled_from(SPLITS), st.sampled_from("abcde"), st.integers(0, 1)), max_size=25)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.parquet"


def naive_logical_hash(manifest):
    digest = hashlib.sha256()
    by_split: dict[str, list[bytes]] = {}
    for row in pq.read_table(manifest).to_pylist():
        by_split.setdefault(row["split"], []).append(row["sample_id"] + row["content_hash"])
    for line in (read_manifest(manifest).columns, *sorted(by_split, key=str.encode)):
        digest.update(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        if isinstance(line, str):
            digest.update(b"".join(sorted(by_split[line])))
    return digest.hexdigest()


def naive_duplicates(manifest):
    rows = pq.read_table(manifest).to_pylist()
    order = list(dict.fromkeys(row["split"] for row in rows))
    counts = Counter(row["content_hash"] for row in rows)
    by_key: dict[bytes, list[dict[str, Any]]] = {}
    for row in rows:
        by_key.setdefault(row.get("key_hash", row["content_hash"]), []).append(row)
    conflicts = [group for group in by_key.values() if len({row["content_hash"] for row in group}) > 1]
    leaks: dict[str, list[tuple[str, bytes]]] = {}
    for key, group in by_key.items():
        for row in group:
            for other in {other["split"] for other in group}:
                if order.index(other) < order.index(row["split"]):
                    leaks.setdefault(f"{row['split']} in {other}", []).append((row["sample_id"].hex(), key))
    return Duplicates(
        sum(counts.values()) - len(counts),
        sum(count > 1 for count in counts.values()),
        sum(map(len, conflicts)),
        len(conflicts),
        {
            label: Leak(len(rows), len({key for _, key in rows}), sorted(name for name, _ in rows))
            for label, rows in sorted(leaks.items())
        },
        sorted(row["sample_id"].hex() for row in rows if counts[row["content_hash"]] > 1)[: samples.checks.MAX_IDS],
        sorted(row["sample_id"].hex() for group in conflicts for row in group)[: samples.checks.MAX_IDS],
    )


@settings(max_examples=100, deadline=None)
@given(
    rows=drawn_rows,
    memory=st.sampled_from([1, 2, 7, 1 << 20]),
    group=st.sampled_from([1, 4, 1 << 16]),
    key=st.sampled_from([(), ("text",)]),
    named=st.sampled_from([1, 3, 100]),
)
def test_both_agree_with_the_naive_version_however_many_parts_are_read(
    rows, memory, group, key, named, tmp_path_factory
):
    path = tmp_path_factory.mktemp("naive") / "m.parquet"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(samples.manifest, "ROWS", group)
        patched.setattr(samples.ranges, "ROWS_IN_MEMORY", memory)
        patched.setattr(samples.checks, "MAX_IDS", named)
        write_manifest(path, SCHEMA, rows, key)
        assert logical_hash(path) == naive_logical_hash(path)
        assert find_duplicates(path) == naive_duplicates(path)


@settings(max_examples=50, deadline=None)
@given(rows=drawn_rows, data=st.data())
def test_the_logical_hash_does_not_know_the_order_within_a_split(rows, data, tmp_path_factory):
    path = tmp_path_factory.mktemp("order") / "m.parquet"
    shuffled = sorted(data.draw(st.permutations(rows)), key=lambda row: row[0])
    in_order = sorted(rows, key=lambda row: row[0])
    assert logical_hash(write_manifest(path, SCHEMA, in_order)) == logical_hash(write_manifest(path, SCHEMA, shuffled))


@pytest.mark.parametrize("size", [1, 2, 6])
def test_the_logical_hash_does_not_know_batches_row_groups_files_or_sources(size, path, monkeypatch):
    wanted = logical_hash(write_manifest(path, SCHEMA, [("all", *row) for _, *row in ROWS]))
    monkeypatch.setattr(samples.manifest, "ROWS", size)
    with ManifestWriter(path, SCHEMA) as writer:
        for start in range(0, len(ROWS), size):
            batch = batch_of(SCHEMA, [row for _, *row in ROWS[start : start + size]])
            writer.add(batch, split="all", file=f"{start}.csv", source=f"raw/{start}.csv")
        writer.finish({"0.csv": "ab"})
    assert logical_hash(path) == wanted


@pytest.mark.parametrize(
    ("schema", "rows"),
    [
        (SCHEMA, [*ROWS[:-1], ("train", "a", 2)]),
        (SCHEMA, [*ROWS[:-1], ("val", "a", 1)]),
        (SCHEMA, ROWS[:-1]),
        (SCHEMA, [*ROWS, ROWS[-1]]),
        (SCHEMA, [("train" if split == "val" else "val" if split == "train" else split, *row) for split, *row in ROWS]),
        (pa.schema([("text", pa.string()), ("mark", pa.int64())]), ROWS),
        (pa.schema([("text", pa.string()), ("label", pa.int32())]), ROWS),
    ],
    ids=["value", "split", "fewer", "more", "names of splits", "column name", "column type"],
)
def test_the_logical_hash_knows_all_else(schema, rows, path):
    wanted = logical_hash(write_manifest(path, SCHEMA, ROWS))
    assert logical_hash(write_manifest(path, schema, rows)) != wanted


def test_a_sample_in_two_splits_is_a_leak_into_the_later(path):
    write_manifest(path, SCHEMA, [("train", "a", 1), ("train", "b", 1), ("val", "a", 1), ("test", "a", 1)])
    ids = [value.hex() for value in pq.read_table(path)["sample_id"].to_pylist()]
    places = {"test in train": ids[3], "test in val": ids[3], "val in train": ids[2]}
    leaks = {label: Leak(1, 1, [name]) for label, name in places.items()}
    equal = sorted([ids[0], ids[2], ids[3]])
    assert find_duplicates(path) == Duplicates(samples=2, groups=1, leaks=leaks, equal_ids=equal)


def test_a_key_in_two_splits_is_a_leak_and_with_two_contents_a_conflict(path):
    write_manifest(path, SCHEMA, [("train", "a", 1), ("train", "b", 1), ("train", "b", 2), ("val", "a", 3)], ["text"])
    ids = [value.hex() for value in pq.read_table(path)["sample_id"].to_pylist()]
    assert find_duplicates(path) == Duplicates(
        conflicting=4, conflicts=2, leaks={"val in train": Leak(1, 1, [ids[3]])}, conflicting_ids=sorted(ids)
    )


@settings(max_examples=50, deadline=None)
@given(rows=drawn_rows, memory=st.sampled_from([1, 3, 1 << 20]), named=st.sampled_from([1, 1000]))
def test_leaks_by_a_column_are_those_of_a_key(rows, memory, named, tmp_path_factory):
    """Whichever file has the hashes; ids above the limit are counted."""
    path = tmp_path_factory.mktemp("leaks") / "m.parquet"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(samples.ranges, "ROWS_IN_MEMORY", memory)
        write_manifest(path, SCHEMA, rows, ["text"])
        wanted = naive_duplicates(path).leaks
        patched.setattr(samples.checks, "MAX_LEAKED_IDS", named)
        with path.open("rb") as file:
            leaks = find_leaks(file, "key_hash")
        assert leaks == find_duplicates(path).leaks
        assert leaks == {label: dataclasses.replace(leak, ids=leak.ids[:named]) for label, leak in wanted.items()}


def test_duplicates_within_a_split_are_no_leak(path):
    write_manifest(path, SCHEMA, [("train", "a", 1)] * 3)
    ids = sorted(value.hex() for value in pq.read_table(path)["sample_id"].to_pylist())
    assert find_duplicates(path) == Duplicates(samples=2, groups=1, leaks={}, equal_ids=ids)


def test_a_manifest_without_samples_has_both(path):
    write_manifest(path, SCHEMA, [])
    assert find_duplicates(path) == Duplicates()
    assert logical_hash(path) == naive_logical_hash(path)
