"""make dataset DS=all: every dataset from its pinned sources, the same bytes wherever and however often."""

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlcroissant
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import environ, git, make_clone
from data_registry.clone import repository
from data_registry.releases.versions import Version
from data_registry.samples import digests, encode, read_manifest
from data_registry.training.sample_files import read_table
from registry.cards.croissant import croissant_of
from registry.datasets import find_datasets

pytestmark = pytest.mark.extended

# What is committed must come out again with another locale, time zone and hash seed, and on one core.
ODD = {"LC_ALL": "C", "LANG": "C", "TZ": "Asia/Kolkata", "PYTHONHASHSEED": "1"}
PROMPT = "80e1f4744ebe4122abcd1dc1d7db088fc33f17a341de96facb369b0fca46f75e"  # the earlier registry's, in the mirror


Built = tuple[Path, dict[str, str], list[str], str]  # a clone, its environment, the command, and what was said


def build(root: Path, mirror: Path, folder: Path, runtime: str, *prefix: str, **odd: str) -> Built:
    """Build everything in a clone."""
    clone = make_clone(root, folder / "clone")
    known = environ(root, RUNTIME=runtime, FETCH_MIRROR=str(mirror), SOURCE="upstream", **odd)
    command = [*prefix, "make", "dataset", "DS=all"]
    made = subprocess.run(command, cwd=clone, env=known, text=True, capture_output=True)
    assert made.returncode == 0, made.stderr
    return clone, known, command, made.stderr


@pytest.fixture(scope="module")
def host(root: Path, mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    one_core = ["taskset", "-c", "0"] if shutil.which("taskset") else []
    return build(root, mirror, tmp_path_factory.mktemp("host"), "host", *one_core, **ODD)


@pytest.fixture(scope="module")
def container(images: dict[str, str], root: Path, mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(root, mirror, tmp_path_factory.mktemp("container"), "container")


@pytest.fixture(params=["host", pytest.param("container", marks=pytest.mark.docker)])
def built(request: pytest.FixtureRequest) -> Built:
    found: Built = request.getfixturevalue(request.param)
    return found


def test_git_has_nothing_to_say(built) -> None:
    """The committed dvc.lock and metadata.json of every dataset come out again."""
    assert git(built[0], "status", "--porcelain") == ""


def test_what_is_not_there_yet_is_skipped_aloud(built) -> None:
    assert "opencloudhub-readmes-embeddings: skipped, opencloudhub-readmes-v1.0.0 is not released" in built[3]


def test_the_second_time_nothing_runs(built) -> None:
    clone, known, command, _ = built
    again = subprocess.run(command, cwd=clone, env=known, text=True, capture_output=True)
    assert again.returncode == 0 and "Running stage" not in again.stderr
    assert again.stdout.count("nothing: all stages are current") == len(list(clone.glob("data/*/sources.csv")))


def test_leaks_are_reported_with_their_ids(built) -> None:
    metadata = json.loads((built[0] / "data/emotion/metadata.json").read_text())
    leaks = metadata["checks"]["split_leaks"]
    assert {label: leak["samples"] for label, leak in leaks.items()} == {
        "test in train": 11,
        "test in val": 3,
        "val in train": 5,
    }
    assert all(len(set(leak["ids"])) == leak["samples"] for leak in leaks.values())


@pytest.mark.parametrize("name", sorted(path.parent.name for path in repository().glob("data/*/sources.csv")))
def test_the_data_reads_back_as_its_samples(name: str, host) -> None:
    """As registry.load reads it: the last split of each dataset has the hashes that its manifest says."""
    folder = host[0] / "data" / name
    manifest = read_manifest(folder / "samples.parquet")
    table = pq.read_table(folder / "samples.parquet", columns=["split", "file", "content_hash"])
    chosen = table.filter(pc.equal(table["split"], table["split"][-1]))
    files = list(dict.fromkeys(chosen["file"].to_pylist()))
    paths = {each.relative_to(folder).as_posix(): each for each in folder.rglob("*") if each.is_file()}
    read = read_table(files, paths, manifest.schema)
    hashes = [digest.tobytes() for batch in read.to_batches() for digest in digests(encode(batch))]
    assert hashes == chosen["content_hash"].to_pylist()


@pytest.mark.parametrize("name", sorted(path.parent.name for path in repository().glob("data/*/sources.csv")))
def test_others_read_what_is_built(name: str, host, tmp_path: Path) -> None:
    """mlcroissant by croissant.json, from each file its first samples; datasets by the card that is committed."""
    dataset = find_datasets(host[0], name)[0]
    (dataset.folder / "croissant.json").write_bytes(croissant_of(dataset, Version(1, 0, 0)))
    try:
        found = mlcroissant.Dataset(jsonld=str(dataset.folder / "croissant.json"))
        for part in found.metadata.record_sets:
            assert list(itertools.islice(found.records(part.uuid), 100))
    finally:
        (dataset.folder / "croissant.json").unlink()
    if (dataset.folder / "processed").exists():
        known = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
        program = "import sys, datasets; print(sum(datasets.load_dataset(sys.argv[1]).num_rows.values()))"
        command = [sys.executable, "-c", program, str(dataset.folder)]
        done = subprocess.run(command, env=known, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) == read_manifest(dataset.folder / "samples.parquet").rows


def test_roco_with_the_earlier_prompt_is_the_earlier_release(host, mirror: Path) -> None:
    """DVC's hashes of both folders, so that models trained on that release can be trained again.

    After the tests that read what is committed: its data stays here.
    """
    clone, known, _, _ = host
    folder = clone / "data/roco-radiology"
    text = folder / "prompts/radiology-vlm-prompt/3.txt"
    ours = hashlib.sha256(text.read_bytes()).hexdigest()
    try:
        shutil.copy(mirror / PROMPT, text)
        changed = subprocess.run(["make", "dataset", "DS=roco-radiology"], cwd=clone, env=known, capture_output=True)
        assert b"differs from the pinned text of prompt radiology-vlm-prompt/3" in changed.stderr, (
            "a changed prompt is an error"
        )
        params = folder / "params.yaml"
        params.write_text(params.read_text().replace(ours, PROMPT))
        subprocess.run(["make", "dataset", "DS=roco-radiology"], cwd=clone, env=known, capture_output=True, check=True)
        lock = (folder / "dvc.lock").read_text()
        assert "1b6561f57a5656b0da028329aa4690cf.dir" in lock and "45f86f00a917c88c5ee7c34fc2654318.dir" in lock
    finally:
        git(clone, "checkout", "-q", ".")


@pytest.mark.docker
@pytest.mark.parametrize("name", ["fashion-mnist", "emotion", "roco-radiology", "opencloudhub-readmes"])
def test_stages_run_as_another_user_in_a_folder_of_their_own(
    name: str, images: dict[str, str], root: Path, mirror: Path, tmp_path: Path
) -> None:
    """uid 10001 with read-only root and no capabilities: the same metadata, as an Argo step would make it."""
    if os.getuid():
        pytest.skip("only root can hand a folder to another user")
    for part in ("params.yaml", "sources.csv"):
        shutil.copy(root / "data" / name / part, tmp_path)
    if (root / "data" / name / "prompts").exists():
        shutil.copytree(root / "data" / name / "prompts", tmp_path / "prompts")
    os.chown(tmp_path, 10001, 10001)
    hardened = ["docker", "run", "--rm", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    hardened += ["--tmpfs", "/tmp", "--network", "none", "--volume", f"{tmp_path}:/data"]
    for stage, locked in yaml.safe_load((root / "data" / name / "dvc.lock").read_text())["stages"].items():
        given = ["--volume", f"{mirror}:/mirror:ro", "--env", "FETCH_MIRROR=/mirror"] if stage == "fetcher" else []
        subprocess.run([*hardened, *given, images[stage], *locked["cmd"].split()[2:]], check=True)
    assert (tmp_path / "metadata.json").read_bytes() == (root / "data" / name / "metadata.json").read_bytes()
