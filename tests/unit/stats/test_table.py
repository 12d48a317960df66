import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalog.facts import distributions
from click.testing import CliRunner
from stats.cli import cli
from unit.stats import tables
from unit.stats.tables import lay, measure, measured

TABLE = pa.table(
    {
        "height": pa.array([1.5, None, 2.5, 1.5, 4.0], pa.float32()),
        "kind": pa.array(["red", "white", None, "red", "None"]),
        "good": pa.array([True, False, None, True, True]),
        "mark": pa.array([10, 9, 9, 10, -3], pa.int16()),
    }
)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_metadata_holds_what_consumers_read(folder: Path, suffix: str):
    table = lay(
        folder,
        TABLE,
        suffix,
        title="A tiny table",
        citation="someone, 2020",
        target="mark",
        target_range=[-3, 10],
        stats={"distributions": ["mark", "kind", "good"]},
    )
    found = measured(table, "--tool", "stats=stats:src-1", "--tool", "fetcher=fetcher:src-2=x")
    assert list(found) == [
        "dataset", "schema", "summary", "statistics", "checks", "files", "provenance", "logical_hash",
    ]  # fmt: skip
    assert found["dataset"] == {
        "name": "tiny",
        "title": "A tiny table",
        "description": "?",
        "source": "?",
        "citation": "someone, 2020",
        "licence": "?",
    }
    assert found["schema"] == {
        "features": {
            "height": {"dtype": "float", "description": "the height"},
            "kind": {"dtype": "string", "description": "the kind"},
            "good": {"dtype": "bool", "description": "the good"},
        },
        "target": {"name": "mark", "dtype": "int16", "description": "the mark", "range": [-3.0, 10.0]},
    }
    assert found["statistics"] == {
        "features": {
            "height": {"mean": 2.375, "std": 1.18145390656, "min": 1.5, "max": 4.0, "median": 2.0},
        },
        "target": {"mean": 7.0, "std": 5.61248608016, "min": -3.0, "max": 10.0, "median": 9.0},
    }
    assert found["provenance"] == {
        "source_list": {"sha256": hashlib.sha256(tables.SOURCES.encode()).hexdigest(), "files": 1, "bytes": 12},
        "sources": [
            {
                "name": "a.csv",
                "sha256": "00ff",
                "bytes": 12,
                "urls": ["https://example.org/a.csv", "https://mirror.example.org/a"],
            }
        ],
        "params": {"parquetizer": {"delimiter": ";"}, "stats": {"distributions": ["mark", "kind", "good"]}},
        "tools": {"fetcher": "fetcher:src-2=x", "stats": "stats:src-1"},
        "sample": False,
    }
    assert found["files"][table.name]["bytes"] == table.stat().st_size
    summary = found["summary"]
    assert (summary["num_samples"], summary["num_features"]) == (5, 3)
    assert summary["mark_distribution"] == {"-3": 1, "9": 2, "10": 2}
    assert list(summary["mark_distribution"]) == ["-3", "9", "10"], "as numbers sort"
    assert summary["good_distribution"] == {"False": 1, "True": 3}


def test_missing_values_are_counted_apart_from_the_text_none(folder: Path):
    found = measured(lay(folder, TABLE, stats={"distributions": ["kind", "good"]}))
    assert found["summary"]["kind_distribution"] == {"None": 1, "red": 2, "white": 1}
    assert found["checks"]["missing"] == {"height": 1, "kind": 1, "good": 1}


def test_the_result_is_printed_as_one_json_object(folder: Path):
    table = lay(folder, TABLE)
    result = measure(table, "-q")
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert printed == {
        "output": "metadata.json",
        "rows": 5,
        "duplicates": 1,
        "warnings": 1,
        "logical_hash": tables.strictly(Path("metadata.json").read_text())["logical_hash"],
    }
    assert result.stderr == "tiny: 1 of 5 samples repeat an earlier one\n"


def test_duplicates_and_leaks_between_splits_are_reported(folder: Path):
    table = pa.table({"x": [1, 2, 1, 3, 2, 1]})
    found = measured(lay(folder, table, splits={"train": 3, "test": 3}))["checks"]
    ids = [value.hex() for value in pq.read_table("samples.parquet")["sample_id"].to_pylist()]
    assert found["duplicates"] == {"samples": 3, "groups": 2, "ids": sorted([*ids[:3], *ids[4:]])}
    assert found["split_leaks"] == {"test in train": {"samples": 2, "ids": sorted(ids[4:])}}
    assert found["warnings"] == [
        "3 of 6 samples repeat an earlier one",
        "samples of test that are in train too: 2",
    ]


def test_a_csv_and_a_parquet_of_the_same_rows_have_the_same_figures_and_logical_hash(folder: Path):
    chance = np.random.default_rng(3)
    table = pa.table({"x": chance.normal(size=3000), "n": chance.integers(-9, 9, 3000), "t": ['a,b\n"c"'] * 3000})
    found = [measured(lay(folder, table, suffix, target="n")) for suffix in (".csv", ".parquet")]
    for document in found:
        del document["files"]
    assert found[0] == found[1]


def test_text_of_many_lines_is_read_across_blocks(folder: Path):
    texts = [f"text {number}\n" + 'a "line"\n\n' * 180 for number in range(8000)]
    table = lay(folder, pa.table({"t": texts, "n": range(8000)}), ".csv")
    assert table.stat().st_size > 12_000_000
    assert measured(table)["summary"]["num_samples"] == 8000


def test_a_row_of_two_megabytes_is_read(folder: Path):
    table = lay(folder, pa.table({"t": ["x" * 2_000_000, "y", "z" * 2_000_000] * 4, "n": range(12)}), ".csv")
    assert measured(table)["statistics"]["features"]["n"]["mean"] == 5.5


def test_zeros_of_either_sign_are_the_same(folder: Path):
    found = measured(lay(folder, pa.table({"x": [-0.0, 0.0, -0.0]}), stats={"distributions": ["x"]}))
    text = Path("metadata.json").read_text()
    assert "-0" not in text.replace('"-0.0": 3', "")
    assert list(found["summary"]["x_distribution"].values()) == [3]


def test_a_table_without_target_or_numbers_has_no_statistics(folder: Path):
    found = measured(lay(folder, pa.table({"t": ["a", "b"]})))
    assert found["statistics"] == {"features": {}}
    assert "target" not in found["schema"]


def test_an_old_file_is_replaced_and_a_folder_is_made(folder: Path):
    table = lay(folder, TABLE)
    Path("metadata.json").write_text("old")
    measured(table)
    first = Path("metadata.json").read_bytes()
    assert first.endswith(b"}\n")
    command = [word.replace("metadata.json", "new/metadata.json") for word in tables.arguments(table)]
    assert CliRunner().invoke(cli, command).exit_code == 0
    assert Path("new/metadata.json").read_bytes() == first


# --- refusals: exact code and message, and the old file stays


def refusal(table: Path, *more: str) -> tuple[int, str]:
    Path("metadata.json").write_text("old")
    result = measure(table, *more)
    assert Path("metadata.json").read_text() == "old"
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.exit_code, result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ([("n", "int64"), ("x", "float64")], "[['n', 'int64'], ['x', 'double']]"),
        ([("x", "float64")], "[['x', 'double']]"),
        ([("x", "float64"), ("n", "int64"), ("t", "string")], "[['x', 'double'], ['n', 'int64'], ['t', 'string']]"),
        ([("x", "float64"), ("m", "int64")], "[['x', 'double'], ['m', 'int64']]"),
        ([("x", "float64"), ("n", "int32")], "[['x', 'double'], ['n', 'int32']]"),
        ([], "[]"),
    ],
    ids=["order", "one less", "one more", "name", "type", "none"],
)
def test_columns_that_are_not_as_declared_are_refused(folder: Path, columns: list[tuple[str, str]], found: str):
    table = lay(folder, pa.table({"x": [1.0], "n": [1]}))
    tables.describe(folder, columns)
    assert refusal(table) == (
        22,
        "error: table.parquet: expected columns "
        f"{found}, got [['x', 'double'], ['n', 'int64']]; fix: correct dataset.columns",
    )


def test_an_unknown_type_is_refused(folder: Path):
    table = lay(folder, pa.table({"x": [1.0]}))
    tables.describe(folder, [("x", "number")])
    assert refusal(table) == (2, "error: dataset.columns: unknown type 'number'; fix: correct the type")


@pytest.mark.parametrize("params", [{"target": "y"}, {"stats": {"distributions": ["y"]}}])
def test_a_name_that_is_no_column_is_refused(folder: Path, params):
    assert refusal(lay(folder, pa.table({"x": [1.0]}), **params)) == (
        2,
        "error: stats.distributions or dataset.target: unknown column y; fix: use one of ['x']",
    )


@pytest.mark.parametrize("values", [range(10_001), [str(number) for number in range(10_001)]], ids=["int", "string"])
def test_a_distribution_of_too_many_values_is_refused(folder: Path, values):
    table = pa.table({"x": pa.array(values)})
    assert refusal(lay(folder, table, stats={"distributions": ["x"]})) == (
        2,
        "error: stats.distributions: x has more than 10000 distinct values; fix: remove it from the list",
    )
    assert len(measured(lay(folder, table[:10_000], stats={"distributions": ["x"]}))["summary"]["x_distribution"]) == (
        10_000
    )


def test_an_unknown_setting_is_refused(folder: Path):
    assert refusal(lay(folder, TABLE, stats={"distribution": []})) == (
        2,
        "error: params.yaml stats: unknown key distribution; fix: use one of: distributions",
    )


def test_a_tool_without_an_image_is_refused(folder: Path):
    assert refusal(lay(folder, TABLE), "--tool", "stats") == (
        2,
        "error: stats table: invalid value for '--tool': expected NAME=IMAGE, got 'stats'; fix: see stats table --help",
    )


def test_a_wrong_list_of_sources_is_refused(folder: Path):
    table = lay(folder, TABLE)
    Path("sources.csv").write_text("file,address\na,b\n")
    assert refusal(table) == (
        2,
        "error: sources.csv: invalid list of sources: 'name'; fix: columns are name,url,sha256,bytes",
    )


@pytest.mark.parametrize("name", ["table.parquet", "samples.parquet"])
def test_an_absent_input_is_told_apart_from_wrong_usage(folder: Path, name: str):
    table = lay(folder, TABLE)
    Path(name).unlink()
    assert refusal(table) == (10, f"error: {name}: file not found; fix: run the parquetizer")


@pytest.mark.parametrize("name", ["sources.csv", "params.yaml"])
def test_an_absent_file_that_a_flag_names_is_wrong_usage(folder: Path, name: str):
    table = lay(folder, TABLE)
    Path(name).unlink()
    flag = f"--{name.split('.')[0]}"
    assert refusal(table) == (
        2,
        f"error: stats table: invalid value for '{flag}': File '{name}' does not exist; fix: see stats table --help",
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_without_rows_is_refused(folder: Path, suffix: str):
    empty = pa.table({"x": pa.array([], pa.float64())})
    table = lay(folder, empty, suffix)
    assert refusal(table) == (21, f"error: {table}: no rows; fix: run the parquetizer again")


def test_another_tables_manifest_is_refused(folder: Path):
    table = lay(folder, TABLE)
    other = Path("other.parquet")
    other.write_bytes(table.read_bytes())
    assert refusal(other) == (
        11,
        "error: other.parquet: not the file in the manifest samples.parquet; fix: run the parquetizer again",
    )


def test_a_manifest_of_more_rows_than_the_table_has_is_refused(folder: Path):
    table = lay(folder, pa.table({"x": [1, 2]}))
    tables.sign(folder, pa.table({"x": [1, 2, 3]}), table, {"all": 3})
    assert refusal(table) == (
        23,
        "error: samples.parquet: 3 samples for 2 rows of table.parquet; fix: run the parquetizer again",
    )


def test_a_file_that_is_no_manifest_is_refused(folder: Path):
    table = lay(folder, TABLE)
    Path("samples.parquet").write_bytes(table.read_bytes())
    assert refusal(table) == (
        23,
        "error: samples.parquet: invalid manifest: samples.parquet is not a sample manifest; "
        "fix: run the parquetizer again",
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", ["z", "kind"], ids=["other", "order"])
def test_a_table_whose_columns_are_not_its_manifests_is_refused(folder: Path, suffix: str, name: str):
    """Consumers rely on the order, so one that only differs in it is another table."""
    declared = pa.table({"x": [1.5, 2.5], "kind": [1.0, 2.0]})
    table = lay(folder, declared.rename_columns([name, "x"]), suffix)
    tables.sign(folder, declared, table, {"all": 2})
    tables.describe(folder, [("x", "float64"), ("kind", "float64")])
    columns = [name, "x"] if suffix == ".csv" else [[name, "double"], ["x", "double"]]
    wanted = ["x", "kind"] if suffix == ".csv" else [["x", "double"], ["kind", "double"]]
    assert refusal(table) == (
        22,
        f"error: {table}: expected columns {wanted} as in the manifest, got {columns}; fix: run the parquetizer again",
    )


def test_text_that_is_no_utf8_is_refused(folder: Path):
    latin = pa.array([b"gr\xf6\xdfe", b"klein"]).cast(pa.binary()).view(pa.string())
    table = lay(folder, pa.table({"t": latin}))
    assert refusal(table) == (
        23,
        "error: table.parquet row group 0: In column 0: Invalid: Invalid UTF8 sequence at string index 0; "
        "fix: run the parquetizer again",
    )


def test_a_manifest_with_other_columns_is_refused(folder: Path):
    table = lay(folder, TABLE)
    manifest = pq.read_table("samples.parquet")
    renamed = manifest.rename_columns([*manifest.schema.names[:-1], "origin"])
    pq.write_table(renamed.replace_schema_metadata(manifest.schema.metadata), "samples.parquet")
    assert refusal(table) == (
        23,
        "error: samples.parquet: invalid manifest: samples.parquet does not have the columns of a sample manifest; "
        "fix: run the parquetizer again",
    )


def test_a_column_without_a_name_is_no_target(folder: Path):
    """Nor is any other column where none is declared."""
    found = measured(lay(folder, pa.table({"": [1, 2, 4], "x": [0.5, 1.5, 2.5]})))
    assert "target" not in found["schema"] and "target" not in found["statistics"]
    assert list(found["schema"]["features"]) == list(found["statistics"]["features"]) == ["", "x"]
    assert found["summary"]["num_features"] == 2


def test_a_column_without_a_name_can_be_declared_as_the_target(folder: Path):
    found = measured(lay(folder, pa.table({"": [1, 2, 4], "x": [0.5, 1.5, 2.5]}), target=""))
    assert found["schema"]["target"]["name"] == "" and list(found["schema"]["features"]) == ["x"]


def test_a_message_about_many_columns_is_short(folder: Path):
    path = lay(folder, pa.table({f"column {number}": [1] for number in range(3000)}), target="y")
    line = measure(path).stderr.splitlines()[-1]
    assert line.endswith("'column 19'] and 2980 more") and len(line) < 600
    tables.describe(folder, [(f"column {number}", "int64") for number in range(2999)])
    line = measure(path).stderr.splitlines()[-1]
    assert line.startswith("error: table.parquet: expected columns [['column 0', 'int64'], ") and len(line) < 2000


def test_the_classes_of_a_column_have_their_names(folder: Path):
    path = lay(folder, pa.table({"kind": [0, 1, 1], "x": [0.5, 1.5, 2.5]}), stats={"distributions": ["kind"]})
    params = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(params.replace("name: kind\n", "name: kind\n    classes: [red, white]\n"))
    found = measured(path)
    assert found["schema"]["features"]["kind"]["classes"] == {"0": "red", "1": "white"}
    assert found["summary"]["kind_distribution"] == {"0": 1, "1": 2}
    assert "classes" not in found["schema"]["features"]["x"]
    assert distributions(found)["kind"][""] == {"red": 1, "white": 2}, "as the catalogue shows it"
