"""Every stage that reads or writes all of a dataset says how far it is."""

import csv
import shlex
import shutil
from pathlib import Path

import parquetizer.cli
import pytest
import stats.cli
import yaml
from click.testing import CliRunner
from data_registry.clone import repository
from registry.datasets import find_datasets

COMMANDS = {"parquetizer": parquetizer.cli.cli, "stats": stats.cli.cli}
LABELS = {  # where it is not told of a file by its name alone
    ("fashion-mnist", "parquetizer"): [f"reading {part}-images-idx3-ubyte.gz" for part in ("train", "t10k")],
}
SAMPLES = [dataset for dataset in find_datasets(repository(), "all") if dataset.sample_sources.exists()]


@pytest.mark.parametrize("name", [dataset.name for dataset in SAMPLES])
def test_each_kind_of_dataset_is_told_of_to_its_end(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (dataset,) = find_datasets(repository(), name)
    folder = Path(shutil.copytree(dataset.folder, tmp_path / name, ignore=shutil.ignore_patterns("raw", "processed")))
    with (folder / "sample" / "sources.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            place = folder / "raw" / row["name"]
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / row["url"].removeprefix("file:").partition("#")[0], place)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("stage.progress.INTERVAL", 0.0)
    stages = yaml.safe_load((dataset.folder / "dvc.lock").read_text())["stages"]  # whose commands have their values
    for stage, command in COMMANDS.items():
        done = CliRunner().invoke(command, shlex.split(stages[stage]["cmd"])[2:])
        assert done.exit_code == 0, done.output
        for label in LABELS.get((name, stage), [""]):
            assert f"{label}: 100 % of " in done.stderr, stage
