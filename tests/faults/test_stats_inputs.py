"""Rows M1 and M2: what stats makes of broken files and of odd values."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import ManifestWriter
from unit.stats.tables import lay, measure, measured, sign

ROWS = pa.table({"x": np.arange(250, dtype=np.float64) ** 2, "kind": [str(row % 7) for row in range(250)]})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def closing_line(result: Result, code: int) -> str:
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    line: str = result.stderr.splitlines()[-1]
    return line


def flip(path: Path, offset: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1 << bit
    path.write_bytes(content)


# --- M1: broken files. The manifest gives the hash, so a table that broke after the manifest was written is caught by
# it; one that broke before is caught by the checksums of its pages.


def test_a_flipped_byte_in_a_page_is_found_with_its_row_group(folder: Path):
    table = lay(folder, ROWS)
    with pq.ParquetFile(table) as file:
        column = file.metadata.row_group(1).column(0)
    flip(table, column.data_page_offset + column.total_compressed_size // 2)
    sign(folder, ROWS, table, {"all": 250})
    line = closing_line(measure(table), 23)
    assert line.startswith("error: table.parquet row group 1: ")
    assert "CRC checksum verification failed" in line
    assert line.endswith("; fix: run the parquetizer again")
    assert not Path("metadata.json").exists()


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (lambda content: content[:-100], "Parquet magic bytes not found in footer"),
        (lambda content: content[: len(content) // 2], "Parquet magic bytes not found in footer"),
        (lambda content: content[:-4] + b"PAR9", "Parquet magic bytes not found in footer"),
        (lambda content: content[-8:], "Parquet file size is 8 bytes, smaller than"),
        (lambda content: b"", "Parquet file size is 0 bytes"),
        (lambda content: b"x,kind\n1,2\n" * 9, "Parquet magic bytes not found in footer"),
    ],
    ids=["end", "half", "magic", "footer", "empty", "csv"],
)
def test_what_is_no_whole_parquet_file_is_refused(folder: Path, broken, what: str):
    table = lay(folder, ROWS)
    table.write_bytes(broken(table.read_bytes()))
    sign(folder, ROWS, table, {"all": 250})
    line = closing_line(measure(table), 23)
    assert line.startswith(f"error: table.parquet row group 0: {what}")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_that_changed_after_its_manifest_is_refused(folder: Path, suffix: str):
    table = lay(folder, ROWS, suffix)
    flip(table, table.stat().st_size // 2)
    assert closing_line(measure(table), 11) == (
        f"error: {table}: not the file in the manifest samples.parquet; fix: run the parquetizer again"
    )


def test_a_csv_that_does_not_hold_what_is_declared_is_refused(folder: Path):
    table = lay(folder, ROWS, ".csv")
    table.write_text("x,kind\n1.5,a\nmuch,b\n")
    sign(folder, ROWS, table, {"all": 250})
    line = closing_line(measure(table), 23)
    assert line.startswith("error: table.csv: In CSV column #0: ")
    assert "invalid value 'much'" in line


@pytest.mark.parametrize("where", [0.0, 0.25, 0.5, 0.75])
def test_a_flipped_byte_in_the_manifest_is_found(folder: Path, where: float):
    table = lay(folder, ROWS)
    manifest = Path("samples.parquet")
    with pq.ParquetFile(manifest) as file:
        column = file.metadata.row_group(0).column(0)
    header = column.total_compressed_size - 16 * 250  # no checksum covers it
    flip(manifest, column.data_page_offset + header + int(where * 16 * 250))
    line = closing_line(measure(table), 23)
    assert line.startswith("error: samples.parquet: ")
    assert line.endswith("; fix: run the parquetizer again")


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), which=st.sampled_from(["table", "samples"]))
def test_no_flipped_bit_is_our_bug(tmp_path_factory: pytest.TempPathFactory, place: float, bit: int, which: str):
    """Wherever it is, footers too, which have no checksum: a known code and one line, or figures."""
    folder = tmp_path_factory.mktemp("flip", numbered=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        table = lay(folder, ROWS)
        broken = Path(f"{which}.parquet")
        flip(broken, int(place * broken.stat().st_size), bit)
        if which == "table":
            with ManifestWriter(Path("samples.parquet"), ROWS.schema) as writer:
                for batch in ROWS.to_batches():
                    writer.add(batch, split="all", file=table.as_posix(), source="a.csv")
                writer.finish({table.as_posix(): hashlib.sha256(table.read_bytes()).hexdigest()})
        result = measure(table)
        assert result.exit_code in {0, 11, 21, 22, 23, 51}, result.exception
        assert result.exit_code == 0 or result.stderr.splitlines()[-1].startswith("error: ")


# --- M2: odd values


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_values_that_are_not_finite_are_left_out_and_reported(folder: Path, suffix: str):
    values = [1.0, np.nan, np.inf, 3.0, -np.inf, None, 5.0]
    table = lay(folder, pa.table({"x": pa.array(values, pa.float64(), from_pandas=False)}), suffix)
    found = measured(table)
    assert found["statistics"]["features"]["x"] == {"mean": 3.0, "std": 2.0, "min": 1.0, "max": 5.0, "median": 3.0}
    assert found["checks"]["missing"] == {"x": 1}
    assert found["checks"]["warnings"] == ["x has 3 values that are not finite; its statistics leave them out"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_column_without_a_finite_value_has_null_figures_and_a_warning(folder: Path, value: float):
    found = measured(lay(folder, pa.table({"x": [value] * 2, "n": [1, 2]}), target="x"))
    assert found["statistics"]["target"] == dict.fromkeys(("mean", "std", "min", "max", "median"))
    assert found["checks"]["warnings"] == [
        "x has 2 values that are not finite; its statistics leave them out",
        "x has no mean, std, min, max, median",
    ]


def test_columns_of_nothing_have_null_figures_and_a_warning(folder: Path):
    table = pa.table({"x": pa.nulls(2, pa.float32()), "t": pa.nulls(2, pa.string()), "n": [1, 2]})
    found = measured(lay(folder, table, stats={"distributions": ["t"]}))
    assert found["statistics"]["features"]["x"] == dict.fromkeys(("mean", "std", "min", "max", "median"))
    assert found["summary"]["t_distribution"] == {}
    assert found["checks"]["missing"] == {"x": 2, "t": 2}
    assert found["checks"]["warnings"] == [
        "x has no value",
        "t has no value",
        "x has no mean, std, min, max, median",
    ]


def test_one_row_has_no_spread(folder: Path):
    found = measured(lay(folder, pa.table({"n": [7]})))
    assert found["statistics"]["features"]["n"] == {"mean": 7.0, "std": None, "min": 7.0, "max": 7.0, "median": 7.0}
    assert found["checks"]["warnings"] == ["n has no std"]


@pytest.mark.filterwarnings("error")
def test_values_too_large_to_add_have_null_figures_and_a_warning(folder: Path):
    found = measured(lay(folder, pa.table({"x": [1.7e308, 1.7e308, -1.7e308]})))
    assert found["statistics"]["features"]["x"] == {
        "mean": None, "std": None, "min": -1.7e308, "max": 1.7e308, "median": 1.7e308,
    }  # fmt: skip
    assert found["checks"]["warnings"] == ["1 of 3 samples repeat an earlier one", "x has no mean, std"]


def test_a_single_class_is_reported(folder: Path):
    found = measured(lay(folder, pa.table({"label": ["a"] * 3, "n": [1, 2, 3]}), stats={"distributions": ["label"]}))
    assert found["summary"]["label_distribution"] == {"a": 3}
    assert found["checks"]["warnings"] == ["label has one value only"]


def test_nan_is_no_class(folder: Path):
    table = pa.table({"x": pa.array([np.nan, 1.0, None] * 70, from_pandas=False)})
    found = measured(lay(folder, table, stats={"distributions": ["x"]}))
    assert found["summary"]["x_distribution"] == {"1.0": 70}
