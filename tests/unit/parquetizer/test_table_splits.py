"""Tables with splits: official ones, by input or by a column; drawn ones, by key or by group; and splits by time."""

import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquetizer.split_settings import SplitBefore, SplitSettings
from parquetizer.splits import assigned
from stage.errors import BadRows, UsageError
from unit.parquetizer.folders import PROCESSED, found, outputs, refused, rows, run_with, samples, write, write_params
from unit.parquetizer.folders import made as made_by

COLUMNS: list[dict[str, Any]] = [
    {"name": "visit", "type": "int64"},
    {"name": "patient", "type": "string"},
    {"name": "x", "type": "float64"},
]
SHARES = {"train": 0.7, "test": 0.3}


def visits(count, patients=40, first=0):
    """Return CSV rows without their header: visits of some patients."""
    return [f"{number},p{number % patients},{number / 8}" for number in range(first, first + count)]


def csv(lines, header="visit,patient,x"):
    return "\n".join([header, *lines]) + "\n"


def made(lines, columns=None, header="visit,patient,x", **section):
    """Make splits of one file; return their rows by split."""
    write_params(columns or COLUMNS, **{"inputs": [{"file": "a.csv"}], **section})
    write({"raw/a.csv": csv(lines, header)})
    return {split: rows(split) for split in made_by("table")["rows"]}


def test_official_splits_are_named_by_the_inputs():
    write_params(COLUMNS, inputs=[{"file": f"{name}.csv", "split": name} for name in ("train", "test")])
    write({"raw/train.csv": csv(visits(5)), "raw/test.csv": csv(visits(3, first=5))})
    result = made_by("table")
    assert result["rows"] == {"train": 5, "test": 3}
    assert [row[0] for row in rows("train") + rows("test")] == [*range(8)]
    assert samples("split", "file", "row", "source")[5] == ("test", "processed/test/test.parquet", 0, "test.csv")
    assert result["files"].keys() == {"processed/train/train.parquet", "processed/test/test.parquet"}


def test_several_inputs_may_be_of_one_split_and_keep_their_order():
    inputs = [
        {"file": "b.csv", "split": "train"},
        {"file": "c.csv", "split": "test"},
        {"file": "a.csv", "split": "train"},
    ]
    write_params(COLUMNS, inputs=inputs)
    write({f"raw/{name}.csv": csv([f"{number},p,0"]) for number, name in enumerate("abc")})
    made_by("table")
    assert [row[0] for row in rows("train")] == [1, 0] and [row[0] for row in rows("test")] == [2]


def test_shares_are_drawn_by_the_key():
    """The same function as of texts."""
    by_split = made(visits(300), splits=SHARES, key=["visit"], seed=7)
    numbers = assigned(pa.record_batch({"visit": [*range(300)]}), SHARES, 7)
    assert [row[0] for row in by_split["test"]] == [n for n in range(300) if numbers[n] == 1]


def test_groups_stay_together_and_rows_keep_their_order():
    by_split = made(visits(2000, 100), splits=SHARES, group=["patient"], key=["visit"])
    patients = {split: {row[1] for row in found_rows} for split, found_rows in by_split.items()}
    assert not patients["train"] & patients["test"] and len(patients["train"] | patients["test"]) == 100
    assert all(found_rows == sorted(found_rows) for found_rows in by_split.values())


def test_a_group_of_several_columns_is_their_values_together():
    batch = pa.record_batch({"a": [1, 1, 2, 2] * 50, "b": [*range(200)], "c": [0, 1] * 100})
    rule = SplitSettings(splits=SHARES, group=("a", "c"))
    numbers = rule.split_rows(batch)[1]
    assert numbers.tolist() == assigned(batch.select(["a", "c"]), SHARES, 42).tolist()


def test_the_values_of_a_column_are_official_splits():
    """The column is not one of the dataset, where it would be a feature."""
    lines = [f"{line},{'test' if number % 4 == 0 else 'train'}" for number, line in enumerate(visits(20))]
    by_split = made(lines, header="visit,patient,x,fold", split_column="fold")
    assert [row[0] for row in by_split["test"]] == [0, 4, 8, 12, 16] and len(by_split["train"]) == 15
    assert pq.read_schema(PROCESSED / "test" / "test.parquet").names == ["visit", "patient", "x"]


def test_a_split_column_that_is_declared_stays():
    columns = [*COLUMNS, {"name": "fold", "type": "int8"}]
    lines = [f"{line},{number % 3}" for number, line in enumerate(visits(9))]
    by_split = made(lines, columns, "visit,patient,x,fold", split_column="fold")
    assert {split: [row[0] for row in found_rows] for split, found_rows in by_split.items()} == {
        "0": [0, 3, 6],
        "1": [1, 4, 7],
        "2": [2, 5, 8],
    }
    assert {row[3] for row in by_split["2"]} == {2}


@pytest.mark.parametrize("value", ["Train", "../x", "", "a b", "é", "-a", "x" * 64])
def test_a_value_that_names_no_split_is_refused_with_its_row(value):
    write_params(COLUMNS, inputs=[{"file": "a.csv"}], split_column="fold")
    write({"raw/a.csv": csv(["1,p,0,train", f"2,p,0,{value}", "3,p,0,train"], "visit,patient,x,fold")})
    what = f"raw/a.csv row 2: fold: invalid split name {value!r}"
    refused("table", 20, f"{what}; fix: use lowercase letters, digits, - and _, as in train")


@pytest.mark.parametrize(
    ("section", "column"), [({"split_column": "fold"}, "fold"), ({"splits": SHARES, "group": ["patient"]}, "patient")]
)
def test_a_row_without_a_split_is_refused(section, column):
    columns = [*COLUMNS, {"name": "fold", "type": "string"}]
    write_params(columns, inputs=[{"file": "a.csv"}], null_values=["NA"], **section)
    write({"raw/a.csv": csv(["1,p,0,train", "2,p,0,train", "3,NA,0,NA"], "visit,patient,x,fold")})
    what = f"raw/a.csv row 3: {column} is null, so the split is unknown"
    refused("table", 20, f"{what}; fix: correct the row, or use another column")


def test_a_column_of_too_many_values_is_refused():
    write_params(COLUMNS, inputs=[{"file": "a.csv"}], split_column="patient")
    write({"raw/a.csv": csv(visits(101, 101))})
    refused("table", 20, "processed: more than 100 splits; fix: split by another column")


def test_time_splits_begin_at_their_boundaries():
    by_split = made(visits(10), split_before={"column": "visit", "at": {"val": 3, "test": 7}})
    assert {split: [row[0] for row in found_rows] for split, found_rows in by_split.items()} == {
        "train": [0, 1, 2],
        "val": [3, 4, 5, 6],
        "test": [7, 8, 9],
    }


def timed(kind, values, **at):
    """Return the splits of values of an Arrow type."""
    rule = SplitSettings(split_before=SplitBefore("t", at))
    batch = pa.record_batch({"t": pa.array(values, kind)})
    rule.check_splits([None], batch.schema, "params")
    names, numbers = rule.split_rows(batch, "row {}".format)
    return [names[number] for number in numbers]


DAY = datetime.datetime(2024, 12, 31, 23, 59, 59)
NEW_YEAR = datetime.datetime(2025, 1, 1)


@pytest.mark.parametrize(
    ("kind", "values", "at"),
    [
        (pa.date32(), [DAY.date(), NEW_YEAR.date()], "2025-01-01"),
        (pa.timestamp("s"), [DAY, NEW_YEAR], "2025-01-01"),
        (pa.timestamp("ns"), [DAY, NEW_YEAR], "2025-01-01T00:00:00"),
        (pa.timestamp("us", "UTC"), [DAY, NEW_YEAR], "2025-01-01"),
        (pa.timestamp("us", "UTC"), [DAY, NEW_YEAR], "2025-01-01T01:00:00+01:00"),
        (pa.timestamp("ms", "Europe/Berlin"), [DAY, NEW_YEAR], "2025-01-01T00:00:00Z"),
        (pa.timestamp("ms", "Europe/Berlin"), [DAY, NEW_YEAR], "2025-01-01 01:00"),  # in Berlin
        (pa.int32(), [2024, 2025], 2025),
        (pa.float64(), [2024.5, 2025], 2025),
    ],
    ids=str,
)
def test_a_boundary_belongs_to_the_split_that_begins_there(kind, values, at):
    assert timed(kind, values, test=at) == ["train", "test"]


def test_a_boundary_without_an_offset_is_in_the_zone_of_the_column():
    midnight_in_berlin = datetime.datetime(2024, 12, 31, 23, tzinfo=datetime.UTC)
    values = [midnight_in_berlin - datetime.timedelta(seconds=1), midnight_in_berlin]
    assert timed(pa.timestamp("s", "Europe/Berlin"), values, test="2025-01-01") == ["train", "test"]
    assert timed(pa.timestamp("s", "UTC"), values, test="2025-01-01") == ["train", "train"]


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_row_without_a_time_is_refused(value):
    kind = pa.timestamp("s") if value is None else pa.float64()
    with pytest.raises(BadRows, match="t is null") as refusal:
        timed(kind, [NEW_YEAR if value is None else 1.0, value], test="2025-01-01" if value is None else 1)
    assert refusal.value.where == "row 1"


@pytest.mark.parametrize(
    ("kind", "at", "where"),
    [
        (pa.date32(), {"test": datetime.date(2025, 1, 1)}, "at.test"),
        (pa.date32(), {"test": "2025-01-01T12:00:00"}, "at.test"),
        (pa.timestamp("s"), {"test": "2025-01-01T00:00:00Z"}, "at.test"),
        (pa.timestamp("s"), {"test": "2025-01-01T00:00:00.5"}, "at.test"),
        (pa.timestamp("s"), {"test": "new year"}, "at.test"),
        (pa.timestamp("s", "Europe/Berlin"), {"test": "2024-03-31 02:30:00"}, "at.test"),  # is skipped there
        (pa.timestamp("s"), {"test": 2025}, "at.test"),
        (pa.int64(), {"test": "2025"}, "at.test"),
        (pa.int64(), {"test": True}, "at.test"),
        (pa.int64(), {"test": 2025.5}, "at.test"),
        (pa.int8(), {"test": 2025}, "at.test"),
        (pa.float64(), {"test": float("nan")}, "at.test"),
        (pa.string(), {"test": "2025-01-01"}, "at.test"),
        (pa.int64(), {}, "at"),
        (pa.int64(), {"train": 1}, "at"),
        (pa.int64(), {"Test": 1}, "at"),
        (pa.int64(), {"val": 2, "test": 2}, "at"),
        (pa.int64(), {"val": 2, "test": 1}, "at"),
    ],
    ids=str,
)
def test_boundaries_that_are_none_are_refused(kind, at, where):
    with pytest.raises(UsageError) as refusal:
        timed(kind, [], **at)
    assert refusal.value.where == f"params.split-before.{where}"


def test_a_date_that_yaml_reads_as_one_is_refused_with_the_cure():
    write_params(COLUMNS, inputs=[{"file": "a.csv"}], split_before={"column": "visit", "at": {"test": DAY.date()}})
    write({"raw/a.csv": csv(visits(2))})
    outcome = run_with("table", "raw", "processed", "samples.parquet", "--params", "params.yaml")
    assert outcome.code == 2 and outcome.error.startswith("parquetizer.split-before.at.test: expected ")


@pytest.mark.parametrize(
    ("section", "empty"),
    [
        ({"splits": {"train": 0.999, "val": 0.001}}, "val"),
        ({"split_before": {"column": "visit", "at": {"test": 100}}}, "test"),
        ({"split_before": {"column": "visit", "at": {"test": -1}}}, "train"),
    ],
)
def test_a_declared_split_without_rows_is_refused(section, empty):
    write_params(COLUMNS, inputs=[{"file": "a.csv"}], **section)
    write({"raw/a.csv": csv(visits(3))})
    before = found()
    outcome = run_with("table", "raw", "processed", "samples.parquet", "--params", "params.yaml")
    assert outcome.code == 21
    assert outcome.error.startswith(f"split {empty}: got none of the 3 samples; fix: ")
    assert found() == before


OFFICIAL = [{"file": "a.csv", "split": "train"}]


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ({}, "input without split"),
        ({"group": ["patient"]}, "input without split"),
        ({"inputs": [*OFFICIAL, {"file": "b.csv"}]}, "input without split"),
        ({"inputs": [*OFFICIAL, {"file": "b.csv"}], "splits": SHARES}, "both splits and official splits"),
        ({"inputs": OFFICIAL, "splits": SHARES}, "both splits and official splits"),
        ({"inputs": OFFICIAL, "split_column": "x"}, "both split-column and official splits"),
        ({"splits": SHARES, "split_column": "fold"}, "both split-column and splits"),
        (
            {"split_column": "fold", "split_before": {"column": "x", "at": {"test": 1}}},
            "both split-before and split-column",
        ),
        ({"inputs": [{"file": "a.csv", "split": "Train"}]}, "invalid split name 'Train'"),
        ({"splits": {"train": 0.8}}, "the shares sum to 0.8"),
        ({"splits": SHARES, "seed": -1}, "invalid seed -1"),
        ({"splits": SHARES, "group": ["doctor"]}, "unknown column doctor"),
        ({"split_column": "x"}, "column x has type double"),
        ({"split_before": {"column": "day", "at": {"test": 1}}}, "unknown column day"),
    ],
    ids=str,
)
def test_settings_that_describe_no_splits_are_refused(section, what):
    write_params(COLUMNS, **{"inputs": [{"file": "a.csv"}], **section})
    write({"raw/a.csv": csv(visits(3)), "raw/b.csv": csv(visits(3))})
    before = found()
    outcome = run_with("table", "raw", "processed", "samples.parquet", "--params", "params.yaml")
    assert outcome.code == 2 and what in outcome.error and "fix: " in outcome.error
    assert found() == before


@pytest.mark.parametrize(
    "section",
    [{"splits": SHARES}, {"inputs": OFFICIAL}, {"split_column": "patient"}, {"group": ["patient"]}],
    ids=str,
)
def test_one_file_has_no_splits(section):
    write_params(COLUMNS, **{"inputs": [{"file": "a.csv"}], **section})
    write({"raw/a.csv": csv(visits(3))})
    outcome = run_with("table", "raw", "out.parquet", "samples.parquet", "--params", "params.yaml")
    assert outcome.code == 2 and outcome.error.startswith("out.parquet: is one file, and ")


def test_splits_need_a_manifest():
    write_params(COLUMNS, inputs=OFFICIAL)
    write({"raw/a.csv": csv(visits(3))})
    outcome = run_with("table", "raw", "processed", "--params", "params.yaml")
    assert outcome.code == 2 and outcome.error.startswith("SAMPLES: missing argument; fix: ")


def test_a_rerun_gives_the_same_bytes():
    arguments = {"splits": SHARES, "group": ["patient"], "key": ["visit"]}
    made(visits(500), **arguments)
    first = outputs()
    made(visits(500), **arguments)
    assert outputs() == first


def test_wide_rows_of_many_splits_stay_within_bounds(monkeypatch):
    """What is not a row group yet is bounded over all splits together."""
    monkeypatch.setattr("parquetizer.table_output.BYTES", 1 << 16)
    lines = [f"{number},{'w' * 4000},0,f{number % 50}" for number in range(500)]
    by_split = made(lines, header="visit,patient,x,fold", split_column="fold")
    assert [row[0] for row in by_split["f7"]] == [*range(7, 500, 50)]
    groups = [pq.ParquetFile(PROCESSED / split / f"{split}.parquet").num_row_groups for split in by_split]
    assert max(groups) > 1


RULES = {
    "key": SplitSettings(key=("visit",), splits={"a": 0.5, "b": 0.3, "c": 0.2}),
    "group": SplitSettings(key=("visit",), splits={"a": 0.5, "b": 0.3, "c": 0.2}, group=("patient",)),
    "time": SplitSettings(key=("visit",), split_before=SplitBefore("day", {"b": 10, "c": 20})),
    "column": SplitSettings(key=("visit",), split_column="fold"),
}
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "visit": st.integers(0, 30),
            "patient": st.one_of(st.sampled_from(["x", "y", ""]), st.text(max_size=2)),
            "day": st.integers(-5, 40),
            "fold": st.sampled_from(["a", "b", "c"]),
        }
    ),
    max_size=40,
)
SCHEMA = pa.schema([("visit", pa.int64()), ("patient", pa.string()), ("day", pa.int32()), ("fold", pa.string())])


def split_of(rule, values):
    """Return the split of each row, and assert that every row is in one, in the order of the rows."""
    numbered = pa.schema([*SCHEMA, ("number", pa.int64())])
    batch = pa.RecordBatch.from_pylist([{**row, "number": n} for n, row in enumerate(values)], numbered)
    splits: dict[int, str] = {}
    for split, part in rule.parts(batch, None):
        numbers = part["number"].to_pylist()
        assert numbers == sorted(numbers)
        assert not splits.keys() & {*numbers}
        splits |= dict.fromkeys(numbers, split)
    return [splits[number] for number in range(len(values))]


@pytest.mark.parametrize(
    "rule",
    [pytest.param(rule, id=name, marks=[pytest.mark.extended] * (name == "key")) for name, rule in RULES.items()],
)
@settings(max_examples=100, deadline=None)
@given(values=ROWS, more=ROWS, data=st.data())
def test_neither_more_rows_nor_another_order_move_a_row(rule, values, more, data):
    together = [*values, *more]
    order = data.draw(st.permutations(range(len(together))))
    reordered = split_of(rule, [together[place] for place in order])
    assert split_of(rule, values) == split_of(rule, together)[: len(values)]
    assert [reordered[order.index(place)] for place in range(len(values))] == split_of(rule, values)


@pytest.mark.parametrize("column", ["visit", "patient"])
@settings(max_examples=100, deadline=None)
@given(values=ROWS, seed=st.integers(0, (1 << 63) - 1))
def test_no_key_and_no_group_is_in_two_splits(column, values, seed):
    group = () if column == "visit" else (column,)
    rule = SplitSettings(key=("visit",), splits={"a": 0.5, "b": 0.5}, group=group, seed=seed)
    where: dict[Any, str] = {}
    for row, split in zip(values, split_of(rule, values), strict=True):
        assert where.setdefault(row[column], split) == split


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, (1 << 63) - 1), share=st.floats(0.05, 0.95))
def test_shares_of_many_groups_are_met(seed, share):
    """Within six standard deviations of the binomial distribution of the groups, which are of equal size."""
    groups = 2000
    batch = pa.record_batch({"patient": [number % groups for number in range(3 * groups)]})
    rule = SplitSettings(splits={"a": share, "b": 1 - share}, group=("patient",), seed=seed)
    rows_of_a = sum(len(part) for split, part in rule.parts(batch, None) if split == "a")
    assert abs(rows_of_a / 3 - groups * share) < 6 * (groups * share * (1 - share)) ** 0.5
