"""make new FROM=: thirty datasets go from files to a release, and have what other libraries read.

No line of YAML is changed but title, description, source and licence, which only their owner knows. Each guess is
compared: format, dialect, types, nulls, splits and key. A type may be too wide, as a string of dates, but never wrong.
``-s`` shows the table of all guesses at the end.
"""

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import environ, git, make_clone
from e2e.thirty.cases import CASES, Case
from e2e.thirty.media import MEDIA, Media, readmes
from registry.build.new import TO_FILL_IN
from samples import Column

CHANGED = 4  # lines of params.yaml, at most, until it can be released
GUESSES = ("format", "dialect", "types", "nulls", "classes", "splits", "key")
measured: dict[str, dict[str, str]] = {}


@pytest.fixture(scope="module")
def clone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("thirty")
    clone = make_clone(root, folder / "clone")
    git(folder, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(clone, "remote", "add", "origin", str(folder / "origin.git"))
    git(clone, "push", "-q", "-u", "origin", "main")
    for key, value in (("user.name", "test"), ("user.email", "test@localhost"), ("commit.gpgsign", "false")):
        git(clone, "config", key, value)
    return clone


@dataclasses.dataclass(frozen=True)
class Built:
    """A dataset that was built from what was guessed; ``lines`` of params.yaml were changed to release it."""

    params: dict[str, Any]
    tables: dict[str, pa.Table]  # by split
    metadata: dict[str, Any]
    lines: int

    @property
    def table(self) -> pa.Table:
        return pa.concat_tables(self.tables.values())


def make(clone: Path, root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = environ(root, RUNTIME="host")
    return subprocess.run(["make", *arguments], cwd=clone, env=environment, text=True, capture_output=True)


def build_and_release(clone: Path, root: Path, name: str, source: Path) -> Built:
    made = make(clone, root, "new", f"DS={name}", f"FROM={source}")
    assert made.returncode == 0, made.stderr
    folder = clone / "data" / name
    lines = describe(folder)
    for arguments in (("dataset", f"DS={name}"), ("release", f"DS={name}", "VERSION=1.0.0")):
        if arguments[0] == "release":
            git(clone, "add", "-A")
            git(clone, "commit", "-q", "-m", f"Add {name}")
            git(clone, "push", "-q")
        done = make(clone, root, *arguments)
        assert done.returncode == 0, done.stderr
    assert git(clone, "ls-remote", "--tags", "origin", f"{name}-v1.0.0")
    files = sorted(
        (folder / "processed").rglob("*.parquet"), key=lambda file: ("test" in file.stem, "val" in file.stem)
    )
    params = yaml.safe_load((folder / "params.yaml").read_text())
    tables = {file.stem: pq.ParquetFile(file).read() for file in files}
    return Built(params, tables, json.loads((folder / "metadata.json").read_text()), lines)


def describe(folder: Path) -> int:
    """Fill in what only the owner of a dataset knows, and return how many lines of params.yaml that changes."""
    params = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(params.replace(TO_FILL_IN, "MIT"))
    (folder / "README.md").write_text(f"# {folder.name}\n\nWritten for a test.\n")
    return params.count(TO_FILL_IN)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=pytest.mark.extended if case.quick else pytest.mark.slow)
        for case in CASES
    ],
)
def test_guessed_right(case: Case, clone: Path, root: Path, tmp_path: Path) -> None:
    source = case.prepare(tmp_path)
    built = build_and_release(clone, root, case.name, source)
    expected = case.read(source)
    section, columns = built.params["parquetizer"], built.params["dataset"]["columns"]
    assert [column["name"] for column in columns] == list(expected.columns)
    types = {name: _types(case, name, expected[name], built) for name in expected.columns}
    nulls = {name: built.table[name].null_count == int(expected[name].isna().sum()) for name in expected.columns}
    dialect = {key: value for key, value in section.items() if key not in {"format", "inputs", "key", "split-column"}}
    classes = {column["name"]: len(column["classes"]) for column in columns if "classes" in column}
    splits = {split: table.num_rows for split, table in built.tables.items()} if case.splits else {}
    right = {
        "format": section["format"] == case.format,
        "dialect": dialect == dict(case.settings),
        "types": "wrong" not in types.values(),
        "nulls": all(nulls.values()),
        "classes": classes == dict(case.classes),
        "splits": splits == dict(case.splits)
        or (splits.keys() == case.splits.keys() and not sum(case.splits.values())),
        "key": tuple(section.get("key", ())) == case.key,
    }
    wide = sum(kind == "wide" for kind in types.values())
    measured[case.name] = {name: "right" if is_right else "WRONG" for name, is_right in right.items()}
    measured[case.name]["types"] += f", {wide} too wide" * bool(wide)
    for name in expected.columns:
        assert types[name] != "wrong", f"{name}: {built.table[name].type}"
    assert all(right.values()), (right, dialect, classes, splits, section.get("key"))
    assert built.table.num_rows == len(expected)
    assert built.lines <= CHANGED
    for split, table in built.tables.items():
        _check_statistics(_statistics(built.metadata, split if len(built.tables) > 1 else ""), table)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=pytest.mark.extended if case.media == "image" else pytest.mark.slow)
        for case in MEDIA
    ],
)
def test_files_guessed_right(case: Media, clone: Path, root: Path, tmp_path: Path) -> None:
    built = build_and_release(clone, root, case.name, case.prepare(tmp_path))
    section, (content, label) = built.params["parquetizer"], built.params["dataset"]["columns"]
    expected = case.files()
    names = tuple(label["classes"])
    files = {
        split: sorted((row[case.media]["bytes"], names[row["label"]]) for row in table.to_pylist())
        for split, table in built.tables.items()
    }
    right = {
        "format": content["type"] == case.media,
        "dialect": {key: value for key, value in section.items() if key not in {"inputs", "key"}}
        == dict(case.settings),
        "types": files == {split: sorted(pairs) for split, pairs in expected.items()},
        "nulls": True,
        "classes": names == case.classes,
        "splits": built.tables.keys() == expected.keys(),
        "key": "key" not in section,
    }
    measured[case.name] = {name: "right" if is_right else "WRONG" for name, is_right in right.items()}
    assert all(right.values()), right


@pytest.mark.slow
def test_documents_guessed_right(clone: Path, root: Path, tmp_path: Path) -> None:
    source = readmes(tmp_path)
    built = build_and_release(clone, root, "tool-readmes", source)
    assert built.params["parquetizer"] == {"suffix": ".md"}
    metadata = json.loads((clone / "data" / "tool-readmes" / "metadata.json").read_text())
    assert metadata["summary"]["num_samples"] == len([*source.rglob("*.md")])
    measured["tool-readmes"] = dict.fromkeys(GUESSES, "right")


@pytest.mark.extended
def test_not_released_until_it_is_described(clone: Path, root: Path, tmp_path: Path) -> None:
    source = tmp_path / "reviews.csv"
    source.write_text("stars,text\n" + "".join(f"{number % 5 + 1},review {number}\n" for number in range(60)))
    made = make(clone, root, "new", "DS=described", f"FROM={source}")
    assert made.returncode == 0, made.stderr
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "A dataset as it was guessed")
    git(clone, "push", "-q")
    refused = make(clone, root, "release", "DS=described", "VERSION=1.0.0")
    gaps = "dataset.title, dataset.description, dataset.source, dataset.licence; README.md, 'What is a sample"
    assert refused.returncode == 2 and f"params.yaml, {gaps}" in refused.stderr


@pytest.mark.slow
def test_the_table_of_guesses() -> None:
    """Written at the end; read it with ``-s``."""
    rows = [f"| {name} | {' | '.join(guesses[guess] for guess in GUESSES)} |" for name, guesses in measured.items()]
    print("\n".join(["", f"| dataset | {' | '.join(GUESSES)} |", f"|---{'|---' * len(GUESSES)}|", *rows]))
    assert not any("WRONG" in row for row in rows)


def _statistics(metadata: dict[str, Any], split: str) -> dict[str, dict[str, Any]]:
    """Return the figures of the numeric columns of a table, or of one of its splits."""
    if not split:
        return dict(metadata["statistics"]["features"])
    figures: dict[str, dict[str, Any]] = {}
    for key, value in metadata["metrics"][split].items():
        name, _, figure = key.rpartition("_")
        figures.setdefault(name, {})[figure] = value
    return figures


def _check_statistics(figures: dict[str, dict[str, Any]], table: pa.Table) -> None:
    """Check that the figures of all integers and floats are numpy's."""
    numeric = [f.name for f in table.schema if pa.types.is_integer(f.type) or pa.types.is_floating(f.type)]
    assert figures.keys() >= set(numeric)
    for name in numeric:
        values = table[name].drop_null().to_numpy().astype(np.float64)
        values = values[np.isfinite(values)]
        if len(values):
            expected = (values.mean(), values.std(ddof=1), values.min(), values.max(), np.median(values))
            ours = [figures[name][figure] for figure in ("mean", "std", "min", "max", "median")]
            assert np.allclose(np.array(ours, np.float64), expected, rtol=1e-9, atol=1e-12, equal_nan=True), name


def _types(case: Case, name: str, expected: pd.Series, built: Built) -> str:
    """Return whether the type of a column is right, too wide, or wrong: its values are not what pandas reads."""
    column = built.table[name]
    declared = next(Column(**one) for one in built.params["dataset"]["columns"] if one["name"] == name).arrow
    wanted = Column(name, case.types[name]).arrow if name in case.types else _arrow(expected, declared)
    if not _equal(column, expected, wanted):
        return "wrong"
    if declared == column.type == wanted:
        return "right"
    return "wide" if pa.types.is_string(column.type) else "wrong"


def _arrow(expected: pd.Series, declared: pa.DataType) -> pa.DataType:
    """Return the narrowest type of what pandas read: whole numbers with nulls are floats there, however written."""
    if pd.api.types.is_bool_dtype(expected):
        return pa.bool_()
    present = expected.dropna()
    if not len(present):
        return pa.string()
    if pd.api.types.is_integer_dtype(expected):
        return pa.int64()
    if pd.api.types.is_float_dtype(expected):
        is_whole = len(present) < len(expected) and bool((present == present.round()).all())
        return declared if is_whole and declared in (pa.int64(), pa.float64()) else pa.float64()
    return pa.string()


def _equal(column: pa.ChunkedArray, expected: pd.Series, wanted: pa.DataType) -> bool:
    """Say whether all values are those that pandas read."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        values = column.to_numpy().astype(np.float64)
        return bool(np.array_equal(values, expected.to_numpy(np.float64, na_value=np.nan), equal_nan=True))
    ours = column.to_pylist()
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        parsed = pd.to_datetime(
            expected, dayfirst=str(expected.iloc[0])[2:3] == ".", utc=bool(getattr(column.type, "tz", ""))
        )
        return list(pd.to_datetime(pd.Series(ours), utc=bool(getattr(column.type, "tz", "")))) == list(parsed)
    theirs = [None if isinstance(value, float) and np.isnan(value) else value for value in expected.astype(object)]
    if pa.types.is_nested(column.type):
        return bool(pa.array(ours, column.type).equals(pa.Array.from_pandas(pd.Series(theirs), type=column.type)))
    if pa.types.is_duration(column.type):
        return list(ours) == [value.to_pytimedelta() for value in expected]
    return bool([None if value is pd.NA else value for value in theirs] == ours)
