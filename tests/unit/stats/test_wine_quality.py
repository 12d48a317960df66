"""The contract of wine-quality (its consumers read these keys), and every figure against pandas."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from parquetizer.cli import cli as parquetizer
from stats.cli import cli as stats
from unit.stats.tables import strictly

pd = pytest.importorskip("pandas")

DATASET = Path(__file__).parents[3] / "data" / "wine-quality"
RAW = {
    "winequality-red.csv": "4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e",
    "winequality-white.csv": "76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836",
}


@pytest.fixture(scope="module")
def built(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, str]:
    """metadata.json, the processed table, and what the tool said."""
    folder = tmp_path_factory.mktemp("wine-quality")
    (folder / "raw").mkdir()
    for name, sha256 in RAW.items():
        shutil.copy(mirror / sha256, folder / "raw" / name)
    table, params = "processed/wine-quality.csv", f"--params={DATASET / 'params.yaml'}"
    before = Path.cwd()
    os.chdir(folder)
    try:
        made = CliRunner().invoke(parquetizer, ["table", "raw", table, "samples.parquet", params])
        assert made.exit_code == 0, made.stderr
        sources = f"--sources={DATASET / 'sources.csv'}"
        said = CliRunner().invoke(stats, ["table", table, "samples.parquet", "metadata.json", params, sources])
        assert said.exit_code == 0, said.stderr
    finally:
        os.chdir(before)
    return strictly((folder / "metadata.json").read_text()), pd.read_csv(folder / table), said.stderr


def test_the_keys_that_consumers_read_are_there(built):
    found, table, _ = built
    assert found["dataset"]["name"] == "wine-quality"
    assert {"description", "source", "citation"} <= set(found["dataset"])
    features = [name for name in table.columns if name != "quality"]
    assert features[-1] == "wine_type"
    assert list(found["schema"]["features"]) == features
    assert all(set(column) == {"dtype", "description"} for column in found["schema"]["features"].values())
    assert {name: column["dtype"] for name, column in found["schema"]["features"].items()} == {
        name: str(table.dtypes[name]) for name in features
    }
    target = found["schema"]["target"]
    assert set(target) == {"name", "dtype", "description", "range"}
    assert (target["name"], target["dtype"], target["range"]) == ("quality", "int64", [3, 9])
    assert list(found["statistics"]["features"]) == features


def test_the_counts_are_the_published_ones(built):
    found, _, _ = built
    assert found["summary"] == {
        "num_samples": 6497,
        "num_features": 12,
        "quality_distribution": {"3": 30, "4": 216, "5": 2138, "6": 2836, "7": 1079, "8": 193, "9": 5},
        "wine_type_distribution": {"0": 1599, "1": 4898},
    }


def test_every_figure_is_that_of_pandas(built):
    found, table, _ = built
    figures = {**found["statistics"]["features"], "quality": found["statistics"]["target"]}
    assert set(figures) == set(table.columns)
    expected = table.agg(["mean", "std", "min", "max", "median"])
    for name, column in figures.items():
        assert column == pytest.approx(expected[name].to_dict(), rel=1e-11), name


def test_duplicates_are_reported_and_the_data_set_has_its_name(built):
    found, table, said = built
    ids = found["checks"]["duplicates"].pop("ids")
    assert found["checks"]["duplicates"] == {"samples": 1177, "groups": 992}
    assert len(set(ids)) == 100 and ids == sorted(ids)
    assert int(table.duplicated().sum()) == 1177
    assert found["checks"]["warnings"] == ["1177 of 6497 samples repeat an earlier one"]
    assert said == "wine-quality: 1177 of 6497 samples repeat an earlier one\n"
    assert found["checks"]["split_leaks"] == found["checks"]["missing"] == {}
    assert found["logical_hash"] == "1164aad67665c850abb29d442b95e99d93b50d86acb40e6fc88d11fd4644b3c7"
    assert found["files"] == {
        "processed/wine-quality.csv": {
            "sha256": "aca103722bace33c3cc9c8080aa89645e88f74999004060a381ddce6216f0518",
            "bytes": 392245,
        }
    }
    assert [source["sha256"] for source in found["provenance"]["sources"]] == list(RAW.values())
    assert found["provenance"]["sample"] is False
