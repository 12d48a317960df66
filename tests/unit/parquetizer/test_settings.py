"""Settings that describe no table are refused before anything is read."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from parquetizer.cli import cli
from parquetizer.kinds.table_settings import TableSettings
from samples import columns
from unit.parquetizer.tables import AB, parquetize, run_table, write_params, write_raw

KNOWN = "use one of: " + ", ".join(field.name.replace("_", "-") for field in fields(TableSettings))
TYPES = ", ".join(columns.TYPES)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"delimeter": ";"}, f"params.yaml parquetizer: unknown key delimeter; fix: {KNOWN}"),
        (
            {"multiline": "yes"},
            "params.yaml parquetizer.multiline: expected true or false, got 'yes'; fix: write true or false",
        ),
        (
            {"max_field_bytes": "1"},
            "params.yaml parquetizer.max-field-bytes: expected an integer, got '1'; fix: write an integer",
        ),
        ({"null_values": "NA"}, "params.yaml parquetizer.null-values: expected a list, got 'NA'; fix: write a list"),
        (
            {"null_values": [0]},
            "params.yaml parquetizer.null-values[0]: expected a string, got 0; "
            "fix: quote it: YAML reads it as a number",
        ),
        ({"inputs": []}, "params.yaml parquetizer: no inputs; fix: list the raw files in inputs"),
        ({"inputs": [{}]}, "params.yaml parquetizer.inputs[0]: file is missing; fix: add file:"),
        (
            {"inputs": [{"file": "a.csv", "constant": {}}]},
            "params.yaml parquetizer.inputs[0]: unknown key constant; fix: use one of: file, constants, members, split",
        ),
        ({"columns": {}}, "params.yaml dataset.columns: no columns; fix: list the columns, each with name and type"),
        (
            {"columns": {"a": "int"}},
            "params.yaml dataset.columns: unknown type int of column a; "
            f"expected one of {TYPES}; fix: correct the column",
        ),
        ({"key": ["c"]}, "params.yaml parquetizer key: unknown column c; fix: use one of: a, b"),
        (
            {"inputs": [{"file": "a.csv", "constants": {"c": 1}}]},
            "params.yaml: unknown column c; fix: use one of: a, b",
        ),
        ({"delimiter": ""}, "params.yaml: invalid delimiter '': expected one ASCII character; fix: correct delimiter"),
        (
            {"delimiter": "::"},
            "params.yaml: invalid delimiter '::': expected one ASCII character; fix: correct delimiter",
        ),
        (
            {"delimiter": "\n"},
            "params.yaml: invalid delimiter '\\n': expected one ASCII character; fix: correct delimiter",
        ),
        ({"quote": "«"}, "params.yaml: invalid quote '«': expected one ASCII character; fix: correct quote"),
        ({"quote": "\0"}, "params.yaml: invalid quote '\\x00': expected one ASCII character; fix: correct quote"),
        ({"quote": ","}, "params.yaml: delimiter and quote are the same; fix: correct one of them"),
        ({"max_field_bytes": 0}, "params.yaml: invalid max-field-bytes 0: expected 1 to 536870912; fix: correct it"),
        (
            {"max_field_bytes": 1 << 31},
            "params.yaml: invalid max-field-bytes 2147483648: expected 1 to 536870912; fix: correct it",
        ),
        *(
            (
                {"encoding": name},
                f"params.yaml: unknown encoding {name}; fix: use an encoding of Python, such as latin-1",
            )
            for name in ("utf-9", "base64", "rot13", "undefined")
        ),
        ({"encoding": "\0"}, "params.yaml: unknown encoding \\x00; fix: use an encoding of Python, such as latin-1"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else None,
)
def test_settings_that_describe_no_table_are_refused(settings, message):
    outcome = parquetize("a,b\nx,1\n", **settings)
    assert (outcome.code, outcome.error) == (2, message)
    assert not outcome.output.exists()


@pytest.mark.parametrize(
    ("kind", "value", "arrow"),
    [
        ("int64", 1.5, "int64"),
        ("int64", "1", "int64"),
        ("int64", True, "int64"),
        ("int64", 1 << 70, "int64"),
        ("uint8", -1, "uint8"),
        ("uint8", 256, "uint8"),
        ("float64", "1", "double"),
        ("float64", float("nan"), "double"),
        ("float64", float("inf"), "double"),
        ("float32", 1e300, "float"),
        ("bool", 1, "bool"),
        ("string", 1, "string"),
        ("string", ["x"], "string"),
    ],
)
def test_a_constant_that_is_not_of_its_columns_type_is_refused(kind, value, arrow):
    inputs = [{"file": "a.csv", "constants": {"b": value}}]
    outcome = parquetize("a\nx\n", {"a": "string", "b": kind}, inputs=inputs)
    assert (outcome.code, outcome.error) == (
        2,
        f"parquetizer.inputs: b: expected {arrow}, got {value!r}; fix: correct it",
    )
    assert not outcome.output.exists()


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("int64", 1, "1"),
        ("float64", 1, "1.0"),
        ("float32", 0.5, "0.5"),
        ("bool", True, "true"),
        ("string", "x,", '"x,"'),
    ],
)
def test_a_constant_of_its_columns_type_is_written(kind, value, written):
    inputs = [{"file": "a.csv", "constants": {"b": value}}]
    assert parquetize("a\nx\n", {"a": "string", "b": kind}, inputs=inputs).text == f"a,b\nx,{written}\n"


def test_a_column_may_be_declared_once():
    params = write_params(AB)
    document = yaml.safe_load(params.read_text())
    document["dataset"]["columns"].append({"name": "a", "type": "string"})
    params.write_text(yaml.safe_dump(document))
    write_raw("a,b\nx,1\n")
    outcome = run_table(params)
    message = "params.yaml dataset.columns: duplicate column a; fix: correct the column"
    assert (outcome.code, outcome.error) == (2, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "params.yaml parquetizer: inputs is missing; fix: add inputs:"),
        (
            "parquetizer: 1",
            "params.yaml: invalid section parquetizer: expected a mapping; "
            "fix: write parquetizer: followed by indented keys",
        ),
        (
            "dataset: {columns: 1}\nparquetizer: {inputs: []}",
            "params.yaml dataset.columns: no columns; fix: list the columns, each with name and type",
        ),
    ],
)
def test_a_params_file_without_a_table_is_refused(text, message):
    write_raw("a,b\nx,1\n")
    Path("params.yaml").write_text(text)
    outcome = run_table(Path("params.yaml"))
    assert (outcome.code, outcome.error) == (2, message)


def test_raw_files_that_are_not_there_are_missing_input():
    """Exit 10, whether the file or the whole folder is missing: the stage before has not run."""
    write_params({"a": "int64"})
    refused = CliRunner().invoke(cli, ["table", "--params", "params.yaml", "nowhere", "out.csv"])
    assert refused.exit_code == 10
    said = "error: nowhere/a.csv: not found; fix: run the fetcher, or correct parquetizer.inputs"
    assert refused.stderr.splitlines()[-1] == said


def test_a_constant_of_anchors_is_not_expanded_in_the_message(limited):
    """Nine of nine of nine: YAML's aliases are one object, its words are not."""
    write_raw("a\nx\n")
    lists = "".join(f"  l{number}: &l{number} [{', '.join([f'*l{number - 1}'] * 9)}]\n" for number in range(1, 5))
    Path("params.yaml").write_text(
        "x:\n  l0: &l0 [lol, lol]\n"
        + lists
        + "dataset: {columns: [{name: a, type: string}, {name: b, type: string}]}\n"
        + "parquetizer: {inputs: [{file: a.csv, constants: {b: *l4}}]}\n"
    )
    outcome = run_table(Path("params.yaml"))
    assert outcome.code == 2 and len(outcome.error) < 300
