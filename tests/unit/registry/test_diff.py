"""What differs between two versions: exact to the row, against a naive comparison, and as people read it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from data_registry.samples import ManifestWriter
from data_registry.samples.arrow_types import MEDIA
from data_registry.stage.errors import ChecksumMismatch, CorruptFile, InputMissing, UsageError
from data_registry.store.manifests import fetch_manifest
from hypothesis import given, settings
from hypothesis import strategies as st
from registry.cli import cli
from registry.compare.diff import bump_between, bump_of, diff_of, sides
from registry.compare.drift import Change
from registry.compare.matching import Diff, compare, match
from registry.compare.texts import text_of
from registry.datasets import Dataset, find_datasets
from unit.registry.lineage_world import TRAIN, VAL, Made, World, greetings, make_world, parquet, rows, wines

SCHEMA = pa.schema([("key", pa.int64()), ("value", pa.int64())])
CHANGED = [("hello", "joy"), ("oh", "sadness"), ("new one", "joy"), ("hello", "love"), ("no", "anger")]


def diff_versions(*versions: Any) -> Diff:
    return diff_of(*sides(*versions))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = make_world(tmp_path)
    monkeypatch.setenv("REGISTRY_ROOT", str(world.root))
    return world


def dataset(world: World, name: str = "greetings") -> Dataset:
    (found,) = find_datasets(world.root, name)
    return found


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(cli, ["diff", *arguments], env=environ)


def ids(table: pa.Table) -> list[str]:
    return [each.hex() for each in table["sample_id"].to_pylist()]


def two_versions(world: World) -> Diff:
    world.release("greetings", "1.0.0", greetings())
    world.release("greetings", "1.1.0", greetings(CHANGED, VAL[:1]))
    return diff_versions(dataset(world), world.root, "1.0.0", "1.1.0", "")


def places(table: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(each[name] for name in ("split", "file", "row")) for each in table.to_pylist()]


def test_every_sample_is_told_with_its_place(world: World) -> None:
    found = two_versions(world)
    train, val = "processed/train/train.parquet", "processed/val/val.parquet"
    assert found.rows == (6, 6)
    assert places(found.added) == [("train", train, 2)]
    assert places(found.removed) == [("train", train, 1)]
    assert places(found.changed) == [("train", train, 1)]
    (moved,) = found.moved.to_pylist()
    assert (moved["split_before"], moved["file_before"], moved["row_before"]) == ("val", val, 1)
    assert (moved["split"], moved["file"], moved["row"]) == ("train", train, 4)
    assert found.elsewhere == 0 and found.schema == ()
    assert Change("splits.train.label_distribution.anger", 1, 1) not in found.drift
    assert Change("splits.train.label_distribution.sadness", None, 1) in found.drift
    assert Change("splits.val.label_distribution.anger", 1, None) in found.drift
    assert bump_between(found) == "minor"


samples = st.dictionaries(st.integers(0, 30), st.tuples(st.integers(0, 2), st.sampled_from(["train", "val"])))


def write(path: Path, content: dict[int, tuple[int, str]]) -> Path:
    with ManifestWriter(path, SCHEMA, ["key"]) as writer:
        for key, (value, split) in content.items():
            batch = pa.record_batch([pa.array([key]), pa.array([value])], schema=SCHEMA)
            writer.add(batch, split=split, file=f"{split}.parquet", source="raw")
        writer.finish({})
    return path


def naive(before: pa.Table, after: pa.Table) -> dict[str, set[bytes]]:
    old, new = ({each["sample_id"]: each for each in table.to_pylist()} for table in (before, after))
    both = old.keys() & new.keys()
    return {
        "added": new.keys() - old.keys(),
        "removed": old.keys() - new.keys(),
        "changed": {each for each in both if old[each]["content_hash"] != new[each]["content_hash"]},
        "moved": {each for each in both if old[each]["split"] != new[each]["split"]},
    }


@settings(max_examples=60, deadline=None)
@given(before=samples, after=samples)
def test_agrees_with_the_naive_way(
    tmp_path_factory: pytest.TempPathFactory, before: dict[int, tuple[int, str]], after: dict[int, tuple[int, str]]
) -> None:
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("naive")
    one, other = write(folder / "one.parquet", before), write(folder / "other.parquet", after)
    found = compare(one, other, {}, {})
    for kind, expected in naive(pq.read_table(one), pq.read_table(other)).items():
        table = getattr(found, kind)
        assert set(table["sample_id"].to_pylist()) == expected
        assert len(table) == len(expected)
    back = compare(other, one, {}, {})
    assert ids(found.added) == ids(back.removed) and sorted(ids(found.moved)) == sorted(ids(back.moved))


@pytest.mark.parametrize("flip", [0, 7, 8, 15])
def test_ids_that_differ_in_one_byte_are_others(flip: int) -> None:
    """Ids that have their first half in common too, and that end in zeros."""
    random = np.random.default_rng(flip)
    block = random.integers(0, 256, (100, 16), np.uint8)
    block[:50, :8] = block[0, :8]
    block[::3, 9:] = 0
    block[:, 8] = np.arange(100)
    other = block[::-1].copy()
    other[:10, flip] ^= 0xFF
    one, two = (each.view("S16").ravel() for each in (block, other))
    in_one, in_two = match(one, two)
    expected = {(i, j) for i in range(100) for j in range(100) if (block[i] == other[j]).all()}
    assert set(zip(in_one.tolist(), in_two.tolist(), strict=True)) == expected


def test_an_empty_version_is_compared_too(tmp_path: Path) -> None:
    empty, full = write(tmp_path / "empty", {}), write(tmp_path / "full", {1: (1, "train")})
    assert compare(empty, full, {}, {}).added.num_rows == compare(full, empty, {}, {}).removed.num_rows == 1
    assert bump_between(compare(empty, empty, {}, {})) is None


@pytest.mark.parametrize(
    ("made", "metadata", "part"),
    [
        (greetings(), {}, None),
        (greetings(), {"checks": {"warnings": ["new"]}}, "patch"),
        (greetings([TRAIN[1], TRAIN[0], *TRAIN[2:]]), {}, "patch"),
        (greetings([*TRAIN, ("more", "joy")]), {}, "minor"),
        (greetings(TRAIN, [*VAL[:1], ("no", "joy")]), {}, "minor"),
        (greetings(TRAIN[:3], [*VAL, TRAIN[3]]), {}, "minor"),
        (Made(**{**vars(greetings()), "key": ["text", "label"]}), {}, "major"),
        (wines(), {}, "major"),
    ],
    ids=["nothing", "metadata", "order of rows", "added", "changed", "moved", "key", "columns"],
)
def test_the_bump_follows_what_differs(world: World, made: Made, metadata: dict[str, Any], part: str | None) -> None:
    release = world.release("greetings", "1.0.0", greetings())
    world.build("greetings", made, **metadata)
    assert bump_of(release, dataset(world)) == part


def test_a_class_more_is_another_schema(world: World) -> None:
    def schema(*classes: str) -> dict[str, Any]:
        return {"features": {"label": {"dtype": "string", "description": classes[0], "classes": list(classes)}}}

    world.release("greetings", "1.0.0", greetings(), schema=schema("joy", "anger"))
    world.build("greetings", greetings(), schema=schema("joy", "anger", "love"))
    found = diff_versions(dataset(world), world.root, "1.0.0", "", "")
    change = Change("schema.features.label.classes", ["joy", "anger"], ["joy", "anger", "love"])
    assert found.schema == (change,) and bump_between(found) == "major"
    world.build("greetings", greetings(), schema={"features": {"label": {**schema("joy")["features"]["label"]}}})
    world.build("greetings", greetings(), schema=schema("joy", "anger") | {"title": "another"})
    assert bump_between(diff_versions(dataset(world), world.root, "1.0.0", "", "")) == "patch"


def test_columns_are_compared_by_name_type_and_order(world: World) -> None:
    def typed(kind: pa.DataType, *names: str) -> Made:
        made = wines()
        schema = pa.schema([(name, kind) for name in names])
        batch = pa.record_batch([pa.array([1], kind) for _ in names], schema=schema)
        return Made(schema, [], made.files, [("all", "processed/wines.csv", batch)])

    world.release("wines", "1.0.0", typed(pa.int64(), "a", "b"))
    for version, made in {
        "2.0.0": typed(pa.int32(), "a", "b"),
        "3.0.0": typed(pa.int64(), "b", "a"),
        "4.0.0": typed(pa.int64(), "a", "c"),
    }.items():
        world.release("wines", version, made)
    found = {
        version: diff_versions(dataset(world, "wines"), world.root, "1.0.0", version, "").schema
        for version in ("2.0.0", "3.0.0", "4.0.0")
    }
    assert found == {
        "2.0.0": (Change("column a", "int64", "int32"), Change("column b", "int64", "int32")),
        "3.0.0": (Change("order of columns", ["a", "b"], ["b", "a"]),),
        "4.0.0": (Change("column b", "int64", None), Change("column c", None, "int64")),
    }


def test_without_a_key_another_value_is_another_sample(world: World) -> None:
    world.release("wines", "1.0.0", wines())
    world.build("wines", wines([(9.4, 4), (9.8, 6), (10.5, 7), (9.4, 5), (11.0, 8)]))
    found = diff_versions(dataset(world, "wines"), world.root, "", "", "")
    assert [len(each) for each in (found.added, found.removed, found.changed)] == [1, 1, 0]


def test_the_manifest_is_fetched_once_and_verified_each_time(world: World) -> None:
    release = world.release("greetings", "1.0.0", greetings())
    path = fetch_manifest(release)
    assert path.is_relative_to(world.root / ".dvc" / "tmp")
    (md5,) = (output.md5 for output in release.outputs if output.path == "samples.parquet")
    good = world.object(md5).read_bytes()
    world.object(md5).write_bytes(b"other bytes")
    assert fetch_manifest(release) == path, "what is here is right"
    path.write_bytes(b"cut")
    with pytest.raises(ChecksumMismatch, match="is damaged: "):
        fetch_manifest(release)
    cached = world.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(good)
    assert fetch_manifest(release) == cached


def test_table_fits_a_terminal_and_names_the_first(world: World) -> None:
    two_versions(world)
    result = run("greetings", "1.0.0", "1.1.0")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "greetings 1.0.0 → 1.1.0" and max(map(len, lines)) <= 80
    assert "  added     1" in lines and lines[-1] == "  version   minor (samples differ)"
    assert [line for line in lines if "val row 1 → train row 4" in line]
    assert "      label: joy → sadness" in lines, "values of the changed row"
    assert "    splits.train.label_distribution.sadness                     -              1" in lines


def test_table_of_many_says_where_the_rest_is(world: World) -> None:
    world.release("greetings", "1.0.0", greetings())
    world.build("greetings", greetings([(f"text {number}", "joy") for number in range(200)]))
    result = run("greetings")
    assert result.output.splitlines()[0] == "greetings 1.0.0 → working copy"
    assert "    and 195 more (FORMAT=json lists all)" in result.output


def test_json_has_every_id(world: World) -> None:
    found = two_versions(world)
    shown = json.loads(run("greetings", "--format", "json", A="1.0.0", B="greetings-v1.1.0").output)
    assert [each["sample_id"] for each in shown["moved"]] == ids(found.moved)
    assert (shown["before"], shown["after"], shown["bump"]) == ("1.0.0", "1.1.0", "minor")
    assert {"what": "splits.val.num_samples", "before": 2, "after": 1} in shown["drift"]


def test_markdown_is_for_a_pull_request(world: World) -> None:
    found = two_versions(world)
    text = run("greetings", "1.0.0", "1.1.0", "--format", "markdown").output
    assert text.startswith("### greetings 1.0.0 → 1.1.0\n\n| samples | |\n|---|---:|\n")
    assert f"- `{ids(found.moved)[0]}` val row 1 → train row 4" in text
    assert "| splits.train.label\\_distribution.sadness | - | 1 |" in text


def test_what_is_not_there_is_said(world: World, tmp_path: Path) -> None:
    world.release("greetings", "1.0.0", greetings())
    with pytest.raises(UsageError, match=r"greetings 2.0.0 not found; fix: use one of: 1.0.0, latest"):
        diff_versions(dataset(world), world.root, "2.0.0", "", "")
    (world.root / "data" / "greetings" / "samples.parquet").unlink()
    with pytest.raises(InputMissing, match=r"data/greetings: not built; fix: make dataset DS=greetings"):
        diff_versions(dataset(world), world.root, "1.0.0", "", "")
    (tmp_path / "no.parquet").write_bytes(b"no")
    with pytest.raises(CorruptFile, match=r"no\.parquet: invalid sample manifest"):
        compare(tmp_path / "no.parquet", tmp_path / "no.parquet", {}, {})
    for wrong in ("$(touch x)", "../greetings", "all"):
        assert run(wrong).exit_code == 2
    assert run("greetings", "v1").exit_code == 2


def test_a_class_is_called_by_its_name_beside_its_number(world: World) -> None:
    for version, counts in (("1.0.0", {"0": 2, "1": 2}), ("1.1.0", {"0": 2, "1": 3})):
        splits = {split: {"num_samples": 2, "class_distribution": counts} for split in ("train", "val")}
        schema = {"features": {"label": {"dtype": "string", "classes": {"0": "coat", "1": "bag"}}}}
        world.release("greetings", version, greetings(), splits=splits, schema=schema)
    done = run("greetings", "1.0.0", "1.1.0")
    assert done.exit_code == 0, done.stderr
    assert "splits.train.class_distribution.1 (bag)" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (-90_061_000_000_001, pa.duration("ns"), "-1 days 01:01:01.000000001"),
        (90, pa.duration("s"), "00:01:30"),
        (5, pa.time64("ns"), "00:00:00.000000005"),
        (1, pa.timestamp("ns"), "1970-01-01 00:00:00.000000001"),
        (0, pa.timestamp("s", "Mars/Olympus"), "1970-01-01 00:00:00Z"),
        (10**17, pa.timestamp("s"), "<value out of range: 100000000000000000>"),
        (0.1 + 0.2, pa.float64(), "0.3"),
        (None, pa.binary(), "null"),
        ({"bytes": None, "path": "a.png"}, MEDIA, "<file, no content, a.png>"),
        ([b"x"], pa.list_(pa.binary(1)), '["<binary, 1 bytes>"]'),
    ],
)
def test_a_value_is_shown_whatever_its_type(value: Any, kind: pa.DataType, text: str) -> None:
    assert text_of(pa.scalar(value, kind), pa.field("x", kind), {}).text == text


def test_values_that_look_the_same_are_shown_from_where_they_differ(world: World) -> None:
    """By their digits, and long texts by their ends."""
    schema, start = pa.schema([("key", pa.string()), ("x", pa.float64()), ("text", pa.string())]), "very " * 60
    for version, values in (("1.0.0", (1 / 3, f"{start}long")), ("1.1.0", (1 / 3 + 1e-9, f"{start}wide"))):
        batch = rows(schema, [("a", *values)])
        file = "processed/x.parquet"
        world.release("greetings", version, Made(schema, ["key"], {file: parquet(batch)}, [("all", file, batch)]))
    lines = run("greetings", "1.0.0", "1.1.0").stdout.splitlines()
    assert f"      x: {1 / 3} → {1 / 3 + 1e-9}" in lines
    assert "      text: …very very long → …very very wide" in lines


def test_figures_that_are_too_long_for_their_column_have_lines_of_their_own(world: World) -> None:
    schema = {"features": {"label": {"dtype": "int64", "classes": {"0": "coat", "1": "bag"}}}}
    for version, (day, bags) in {"1.0.0": ("01", 2), "1.1.0": ("02", 3)}.items():
        ranges = {"at": {"min": f"2024-01-01T00:00:{day}"}}
        summary = {"num_samples": 6, "label_distribution": {"1": bags}, "ranges": ranges}
        world.release("greetings", version, greetings(), summary=summary, schema=schema)
    lines = run("greetings", "1.0.0", "1.1.0").stdout.splitlines()
    start = lines.index("    summary.ranges.at.min")
    assert lines[start + 1 : start + 3] == ["      - 2024-01-01T00:00:01", "      + 2024-01-01T00:00:02"]
    assert lines[start - 1] == f"    {'summary.label_distribution.1 (bag)':<46}{'2':>15}{'3':>15}"
