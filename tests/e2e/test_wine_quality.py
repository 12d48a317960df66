"""make dataset DS=wine-quality, from the pinned sources to what its consumer reads, in both runtimes."""

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import environ, git, make_clone

pytestmark = pytest.mark.extended

DATASET = Path("data/wine-quality")
CONTRACT = "aca103722bace33c3cc9c8080aa89645e88f74999004060a381ddce6216f0518"
OUTPUTS = ("raw/winequality-red.csv", "raw/winequality-white.csv", "processed/wine-quality.csv", "samples.parquet")


@pytest.fixture(params=["host", pytest.param("container", marks=pytest.mark.docker)], scope="module")
def built(
    request: pytest.FixtureRequest, root: Path, mirror: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str], subprocess.CompletedProcess[str]]:
    """A clone in which the dataset was built with make."""
    if request.param == "container":
        request.getfixturevalue("images")
    clone = make_clone(root, tmp_path_factory.mktemp(request.param) / "clone")
    known = environ(root, RUNTIME=request.param, FETCH_MIRROR=str(mirror), SOURCE="upstream")
    made = subprocess.run(["make", "dataset", "DS=wine-quality"], cwd=clone, env=known, text=True, capture_output=True)
    assert made.returncode == 0, made.stderr
    return clone, known, made


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_processed_file_is_the_contracts(built) -> None:
    assert sha256(built[0] / DATASET / "processed/wine-quality.csv") == CONTRACT


def test_whoever_builds_again_gets_what_is_committed(built) -> None:
    """The same dvc.lock and metadata.json, from either runtime: git has nothing to say."""
    assert git(built[0], "status", "--porcelain") == ""


def test_metadata_names_the_files_as_they_are(built) -> None:
    folder = built[0] / DATASET
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["files"]["processed/wine-quality.csv"] == {"sha256": CONTRACT, "bytes": 392_245}
    ids = metadata["checks"]["duplicates"].pop("ids")
    assert metadata["checks"]["duplicates"] == {"samples": 1177, "groups": 992}
    assert len(set(ids)) == 100 and ids == sorted(ids)
    assert metadata["provenance"]["sample"] is False
    pinned = {row["name"]: row["sha256"] for row in csv.DictReader((folder / "sources.csv").open())}
    assert {source["name"]: source["sha256"] for source in metadata["provenance"]["sources"]} == pinned


def test_summary_says_what_a_person_wants(built) -> None:
    said = built[2].stdout
    for text in ("wine-quality", "6497 rows, 12 features", "1177 of 6497", "processed/wine-quality.csv", "next"):
        assert text in said
    assert all(len(line) <= 90 for line in said.splitlines())


def test_again_nothing_executes(built) -> None:
    clone, known, _ = built
    before = {name: (clone / DATASET / name).stat().st_mtime_ns for name in OUTPUTS}
    again = subprocess.run(["make", "dataset", "DS=wine-quality"], cwd=clone, env=known, text=True, capture_output=True)
    assert (
        again.returncode == 0
        and "nothing: all stages are current" in again.stdout
        and "Running stage" not in again.stderr
    )
    assert before == {name: (clone / DATASET / name).stat().st_mtime_ns for name in OUTPUTS}


def test_dvc_repro_does_the_same(built) -> None:
    clone, known, _ = built
    for name in ("raw", "processed"):
        shutil.rmtree(clone / DATASET / name)
    shutil.rmtree(clone / ".dvc" / "cache")
    subprocess.run(["dvc", "repro", "-q"], cwd=clone / DATASET, env=known, check=True)
    assert sha256(clone / DATASET / "processed/wine-quality.csv") == CONTRACT
    assert git(clone, "status", "--porcelain") == ""


def test_dvc_get_from_another_folder(built, tmp_path: Path) -> None:
    clone, known, _ = built
    command = ["dvc", "get", "-q", clone, DATASET / "processed/wine-quality.csv"]
    subprocess.run(command, cwd=tmp_path, env=known, check=True)
    assert sha256(tmp_path / "wine-quality.csv") == CONTRACT


def test_sklearn_consumer_reads_it(built, tmp_path: Path) -> None:
    """The consumer's own way: dvc.api for address and metadata, pandas for the data, all but quality as features."""
    clone, known, _ = built
    script = (
        "import dvc.api, json, sys\n"
        "url = dvc.api.get_url('data/wine-quality/processed/wine-quality.csv', repo=sys.argv[1], remote='local')\n"
        "metadata = json.loads(dvc.api.read('data/wine-quality/metadata.json', repo=sys.argv[1]))\n"
        "print(json.dumps([url, metadata['dataset']['name']]))\n"
    )
    read = subprocess.run(
        [sys.executable, "-c", script, clone], cwd=tmp_path, env=known, capture_output=True, check=True
    )
    url, name = json.loads(read.stdout)
    digest = yaml.safe_load((clone / DATASET / "dvc.lock").read_text())["stages"]["parquetizer"]["outs"][0]["md5"]
    assert name == "wine-quality" and url.endswith(f"/files/md5/{digest[:2]}/{digest[2:]}")
    frame = pd.read_csv(clone / DATASET / "processed/wine-quality.csv")
    features = frame.drop(columns="quality")
    assert frame.shape == (6497, 13) and list(frame)[-2:] == ["quality", "wine_type"] and features.shape[1] == 12
    assert (frame["wine_type"][:1599] == 0).all() and (frame["wine_type"][1599:] == 1).all()
    assert set(frame.dtypes.astype(str)) == {"float64", "int64"}


def test_changed_parameter_runs_only_what_depends_on_it(built) -> None:
    clone, known, _ = built
    params = clone / DATASET / "params.yaml"
    before = params.read_text()
    try:
        params.write_text(before.replace("distributions: [quality, wine_type]", "distributions: [quality]"))
        made = subprocess.run(
            ["make", "dataset", "DS=wine-quality"], cwd=clone, env=known, text=True, capture_output=True
        )
        assert made.returncode == 0 and re.search(r"^  built     stats [0-9.]+ s$", made.stdout, re.MULTILINE)
    finally:
        params.write_text(before)
        git(clone, "checkout", "-q", ".")


@pytest.mark.docker
def test_container_as_another_user_in_a_folder_of_its_own(
    images: dict[str, str], root: Path, mirror: Path, tmp_path: Path
) -> None:
    """uid 10001 with read-only root and no capabilities: the same bytes, as an Argo step would make them."""
    if os.getuid():
        pytest.skip("only root can hand a folder to another user")
    for name in ("params.yaml", "sources.csv"):
        shutil.copy(root / DATASET / name, tmp_path)
    os.chown(tmp_path, 10001, 10001)
    hardened = ["docker", "run", "--rm", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    hardened += ["--tmpfs", "/tmp", "--network", "none", "--volume", f"{tmp_path}:/data"]
    stages = yaml.safe_load((root / DATASET / "dvc.lock").read_text())["stages"]
    for name in ("fetcher", "parquetizer", "stats"):
        arguments = stages[name]["cmd"].split()[2:]
        given = ["--volume", f"{mirror}:/mirror:ro", "--env", "FETCH_MIRROR=/mirror"] if name == "fetcher" else []
        subprocess.run([*hardened, *given, images[name], *arguments], check=True)
    assert sha256(tmp_path / "processed/wine-quality.csv") == CONTRACT
    assert (tmp_path / "metadata.json").read_bytes() == (root / DATASET / "metadata.json").read_bytes()
    assert (tmp_path / "metadata.json").stat().st_uid == 10001
