"""Tables with splits: each is measured as a table is; what is in two splits is found by key, group and content."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import read_manifest
from stats import leaks
from unit.stats import data_sets
from unit.stats.data_sets import ids, parquet
from unit.stats.tables import measure, measured

PROCESSED = Path("processed")
SCHEMA = pa.schema([("visit", pa.int64()), ("patient", pa.string()), ("x", pa.float64()), ("mark", pa.string())])

Rows = Sequence[tuple[Any, ...]]


def lay(
    parts: Mapping[str, Rows] | Sequence[tuple[str, Rows]],
    *,
    key: Sequence[str] = ("visit",),
    classes: Sequence[str] = (),
    parquetizer: Mapping[str, Any] | None = None,
    **dataset: Any,
) -> None:
    """Lay splits, or pieces of splits in turn, with their manifest and params.yaml."""
    given_parts = parts.items() if isinstance(parts, Mapping) else parts
    pieces = [(split, data_sets.table_of(SCHEMA, rows)) for split, rows in given_parts]
    for split in dict.fromkeys(split for split, _ in pieces):
        parquet(split).parent.mkdir(parents=True, exist_ok=True)
        table = pa.concat_tables([table for name, table in pieces if name == split])
        pq.write_table(table, parquet(split), write_page_checksum=True, row_group_size=7)
    data_sets.sign(SCHEMA, [(split, parquet(split).as_posix(), table) for split, table in pieces], key)
    columns = [{"name": field.name, "type": str(field.type).replace("double", "float64")} for field in SCHEMA]
    if classes:
        columns[-1] |= {"classes": [*classes]}
    data_sets.describe(columns=columns, **dataset)
    document = {**yaml.safe_load(Path("params.yaml").read_text()), "parquetizer": dict(parquetizer or {})}
    Path("params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def visits(first: int, count: int, patients: int = 1000, mark: str = "a") -> list[tuple[Any, ...]]:
    return [(number, f"p{number % patients}", number / 8, mark) for number in range(first, first + count)]


def test_each_split_has_the_figures_of_pandas(folder: Path):
    chance = np.random.default_rng(2)
    rows = {
        split: [(first + n, "p", float(x), "ab"[n % 2]) for n, x in enumerate(chance.normal(size=50))]
        for split, first in (("train", 0), ("test", 50))
    }
    lay(rows, target="x")
    document = measured(PROCESSED)
    for split in rows:
        table = pd.read_parquet(parquet(split))
        for name in ("visit", "x"):
            of_pandas = {figure: getattr(table[name], figure)() for figure in ("mean", "std", "min", "max", "median")}
            figures = {figure: document["metrics"][split][f"{name}_{figure}"] for figure in of_pandas}
            assert figures == pytest.approx(of_pandas)
        assert document["splits"][split] == {"num_samples": 50, "num_features": 3}
    assert document["schema"]["target"]["name"] == "x"
    assert document["schema"]["features"].keys() == {"visit", "patient", "mark"}
    assert "summary" not in document and "statistics" not in document
    assert document["files"].keys() == {parquet(split).as_posix() for split in rows}


def test_shares_are_reported_by_split_and_class(folder: Path):
    lay(
        {"train": [*visits(0, 60), *visits(60, 20, mark="b")], "test": [*visits(80, 15), *visits(95, 5, mark="b")]},
        classes=["a", "b"],
        parquetizer={"splits": {"train": 0.8, "test": 0.2}, "key": ["visit"]},
    )
    document = measured(PROCESSED)
    assert document["splits"]["test"]["mark_distribution"] == {"a": 15, "b": 5}
    assert document["shares"] == {
        "train": {"declared": 0.8, "samples": 0.8, "values": {"mark": {"a": 0.8, "b": 0.8}}},
        "test": {"declared": 0.2, "samples": 0.2, "values": {"mark": {"a": 0.2, "b": 0.2}}},
    }
    assert not document["checks"]["warnings"]


def test_a_share_that_was_not_met_and_a_class_without_samples_are_warnings(folder: Path):
    lay(
        {"train": [*visits(0, 60), *visits(60, 10, mark="b")], "test": visits(70, 30)},
        classes=["a", "b"],
        parquetizer={"splits": {"train": 0.8, "test": 0.2}},
    )
    warnings = measured(PROCESSED)["checks"]["warnings"]
    assert "train has 70.0% of the samples, and its declared share is 80.0%" in warnings
    assert "test has 30.0% of the samples, and its declared share is 20.0%" in warnings
    assert any(warning.startswith("test has no sample of mark ") and "b" in warning for warning in warnings)


def test_a_group_in_two_splits_is_a_leak_into_the_later(folder: Path):
    """Whichever way the splits were made: here they are official."""
    lay(
        [
            ("train", visits(0, 10, 10)),
            ("test", visits(8, 1, 10)),
            ("train", visits(20, 2, 10)),
            ("test", visits(31, 1)),
        ],
        key=[],
        parquetizer={"group": ["patient"]},
    )
    checks = measured(PROCESSED)["checks"]
    assert checks["split_leaks"]["test in train, by patient"] == {"samples": 1, "groups": 1, "ids": [ids()[10]]}
    assert "samples of test whose patient is in train too: 1" in checks["warnings"]


def test_samples_that_differ_in_their_key_alone_are_leaks_by_content(folder: Path):
    """The copy of a row with another number is what a key hides."""
    train = [(1, "p", 0.5, "a"), (2, "q", 0.5, "b")]
    lay({"train": train, "test": [(3, "p", 0.5, "a"), (4, "p", 0.5, "b")]})
    checks = measured(PROCESSED)["checks"]
    assert checks["split_leaks"] == {"test in train, by content": {"samples": 1, "groups": 1, "ids": [ids()[2]]}}
    assert "samples of test that are in train too but for their visit: 1" in checks["warnings"]


def test_a_key_in_two_splits_is_a_leak_by_the_manifest(folder: Path):
    lay({"train": [(1, "p", 0.5, "a")], "test": [(1, "q", 1.5, "a")]})
    assert measured(PROCESSED)["checks"]["split_leaks"] == {"test in train": {"samples": 1, "ids": [ids()[1]]}}


def test_labels_alone_are_no_content(folder: Path):
    """Every label is in every split."""
    lay({"train": visits(0, 3), "test": visits(3, 3)}, key=["visit", "patient", "x"], classes=["a"])
    assert measured(PROCESSED)["checks"]["split_leaks"] == {}


def test_a_group_of_another_name_is_refused(folder: Path):
    lay({"train": visits(0, 3), "test": visits(3, 3)}, parquetizer={"group": ["doctor"]})
    result = measure(PROCESSED)
    assert result.exit_code == 2
    assert "parquetizer.group: unknown column doctor; fix: use one of " in result.stderr


@pytest.mark.parametrize("name", ["sample_id", "split", "group", "content"])
def test_columns_may_have_any_name(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(globals(), "SCHEMA", pa.schema([("visit", pa.int64()), (name, pa.string())]))
    lay({"train": [(1, "p"), (2, "q")], "test": [(3, "q"), (4, "r")]}, parquetizer={"group": [name]})
    found_leaks = measured(PROCESSED)["checks"]["split_leaks"]
    assert found_leaks == {f"test in train, by {name}": {"samples": 1, "groups": 1, "ids": [ids()[2]]}}


rows = st.lists(
    st.tuples(st.sampled_from(["train", "val", "test"]), st.integers(0, 9), st.sampled_from("pqr"), st.integers(0, 2)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(rows=rows, step=st.sampled_from([1, 3, 1 << 14]))
def test_leaks_are_those_of_a_naive_search(rows, step, tmp_path_factory):
    """Rows of the splits come in turn, as a drawn split leaves them."""
    samples = [(split, (visit, patient, x / 2, "a")) for split, visit, patient, x in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("leaks"))
        patch.setattr(leaks, "ROWS", step)
        lay([(split, [row]) for split, row in samples], parquetizer={"group": ["patient"]})
        found_leaks = measured(PROCESSED)["checks"]["split_leaks"]
        order = list(dict.fromkeys(split for split, _ in samples))
        names = ids()
    wanted: dict[str, dict[str, Any]] = {}
    values = {"patient": lambda row: row[1], "content": lambda row: row[2:]}
    for by, value in values.items():
        for later in order:
            for earlier in order[: order.index(later)]:
                others = {value(row) for split, row in samples if split == earlier}
                leaked = [n for n, (split, row) in enumerate(samples) if split == later and value(row) in others]
                if leaked:
                    wanted[f"{later} in {earlier}, by {by}"] = {
                        "samples": len(leaked),
                        "groups": len({value(samples[n][1]) for n in leaked}),
                        "ids": sorted(names[n] for n in leaked),
                    }
    assert {label: leak for label, leak in found_leaks.items() if ", by " in label} == wanted


def test_a_file_that_is_not_the_manifests_is_refused(folder: Path):
    lay({"train": visits(0, 3), "test": visits(3, 3)})
    parquet("test").write_bytes(parquet("train").read_bytes())
    result = measure(PROCESSED)
    assert result.exit_code == 11 and "processed/test/test.parquet" in result.stderr
    assert not Path("metadata.json").exists()


def test_the_same_inputs_give_the_same_bytes_and_leave_nothing_else(folder: Path):
    lay({"train": visits(0, 30), "test": visits(30, 30)}, parquetizer={"group": ["patient"]})
    first = json.dumps(measured(PROCESSED))
    before = sorted(path.name for path in folder.iterdir())
    assert json.dumps(measured(PROCESSED)) == first
    assert sorted(path.name for path in folder.iterdir()) == before
    assert read_manifest(data_sets.SAMPLES).rows == 60
