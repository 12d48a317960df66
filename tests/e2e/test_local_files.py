"""Files on one's own disk: released in one clone, and got, verified and rebuilt in another with git URL and remote."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import environ, git, make_clone
from unit.fetcher.scripted import Reply, Scripted

pytestmark = pytest.mark.extended

PARAMS = """\
dataset:
  name: reviews
  title: Reviews
  description: Reviews of books.
  source: written for a test
  citation: none
  licence: CC0-1.0
  file: processed/reviews.csv
  target: stars
  columns:
    - {name: id, type: int64, description: number of the review}
    - {name: text, type: string, description: what it says}
    - {name: stars, type: int64, description: one to five}
card:
  tasks: [text-classification]
  authors: [A. Tester]
fetcher: {tries: 1}
parquetizer:
  key: [id]
  inputs: []
stats: {}
"""
MARK = "a sentence that must never be in git"


@dataclasses.dataclass
class Clone:
    """A clone of the registry, and the person in it."""

    folder: Path
    known: dict[str, str]

    def make(self, *arguments: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        command, known = ["make", *arguments], {**self.known, **variables}
        done = subprocess.run(command, cwd=self.folder, env=known, text=True, capture_output=True)
        assert (done.returncode == 0) == (code == 0), done.stdout + done.stderr
        assert not code or f"Error {code}" in done.stderr, done.stderr
        return done

    def samples(self) -> dict[bytes, tuple[object, ...]]:
        """Return split and content hash of every sample by its id."""
        table = pq.read_table(self.folder / "data/reviews/samples.parquet").to_pydict()
        return dict(zip(table["sample_id"], zip(table["split"], table["content_hash"], strict=True), strict=True))


def reviews(first: int, last: int) -> str:
    return "id,text,stars\n" + "".join(f"{one},{MARK} {one},{one % 5 + 1}\n" for one in range(first, last))


def configure(clone: Clone, world: Path) -> None:
    """Name the remote, and say who works here."""
    (clone.folder / ".dvc/config.local").write_text(f"['remote \"local\"']\n    url = {world / 'remote'}\n")
    for name, value in {"user.name": "t", "user.email": "t@t", "commit.gpgsign": "false"}.items():
        git(clone.folder, "config", name, value)


def describe(clone: Clone, *names: str) -> None:
    """Write the dataset's files but for sources.csv."""
    folder = clone.folder / "data/reviews"
    folder.mkdir(exist_ok=True)
    shutil.copy(clone.folder / "data/wine-quality/dvc.yaml", folder)
    inputs = ", ".join(f"{{file: {name}}}" for name in names)
    (folder / "params.yaml").write_text(PARAMS.replace("inputs: []", f"inputs: [{inputs}]"))
    (folder / "README.md").write_text("# Reviews\n\nReviews of books.\n")


def commit(clone: Clone) -> None:
    git(clone.folder, "add", "data/reviews")
    git(clone.folder, "commit", "-q", "-m", "Reviews")
    git(clone.folder, "push", "-q")


@pytest.fixture(scope="module")
def world(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local-files")


@pytest.fixture(scope="module")
def known(root: Path) -> dict[str, str]:
    known = environ(root, RUNTIME="host", FETCH_TRUST="127.0.0.1:9", DVC_REMOTE="local")
    return {name: value for name, value in known.items() if not name.startswith(("AWS_", "ENV"))}


@pytest.fixture(scope="module")
def first(root: Path, world: Path, known: dict[str, str]) -> Clone:
    """The clone in which a folder on this disk became the release reviews-v1.0.0."""
    clone = Clone(make_clone(root, world / "first"), known)
    git(world, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(clone.folder, "remote", "add", "origin", str(world / "origin.git"))
    configure(clone, world)
    git(clone.folder, "push", "-q", "-u", "origin", "main")
    (world / "mine").mkdir()
    (world / "mine/2024.csv").write_text(reviews(0, 50))
    describe(clone, "2024.csv")
    told = clone.make("refresh", "DS=reviews", f"FROM={world / 'mine'}")
    assert "added     2024.csv" in told.stdout
    commit(clone)
    clone.make("dataset", "DS=reviews", "SOURCE=upstream")
    clone.make("release", "DS=reviews", "VERSION=1.0.0")
    return clone


@pytest.fixture
def second(first: Clone, world: Path, known: dict[str, str], tmp_path: Path) -> Clone:
    """A clone of somebody who has the git URL and the remote, and nothing else."""
    git(tmp_path, "clone", "-q", str(world / "origin.git"), "second")
    clone = Clone(tmp_path / "second", known)
    configure(clone, world)
    return clone


def test_not_a_byte_of_it_is_in_git_and_nothing_is_stored_twice(first: Clone, world: Path) -> None:
    names = git(world / "origin.git", "log", "--all", "--name-only", "--format=").split()
    assert not [name for name in names if name.startswith("data/reviews/raw") or ".sources" in name]
    history = subprocess.run(
        ["git", "log", "--all", "-p", "--text", "--", "data"], cwd=world / "origin.git", capture_output=True, check=True
    ).stdout
    assert b"reviews" in history and MARK.encode() not in history and bytes(world / "mine") not in history
    contents = [path.read_bytes() for path in (world / "remote").rglob("*") if path.is_file()]
    assert len(contents) == len(set(contents)) == 3  # list, samples.parquet, and one CSV: raw and processed are equal
    assert reviews(0, 50).encode() in contents


def test_another_clone_gets_loads_verifies_and_rebuilds_it(second: Clone, tmp_path: Path) -> None:
    second.make("get", "DS=reviews", "VERSION=1.0.0", f"OUT={tmp_path / 'got'}")
    assert len((tmp_path / "got/processed/reviews.csv").read_text().splitlines()) == 51
    program = "from data_registry import load; print(load('reviews', '1.0.0').to_arrow().num_rows)"
    environment = {**second.known, "REGISTRY_ROOT": str(second.folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    loaded = subprocess.run([sys.executable, "-c", program], env=environment, text=True, capture_output=True)
    assert loaded.stdout.strip() == "50", loaded.stderr
    told = second.make("verify", "DS=reviews", "REBUILD=1")
    assert "all as released; the rebuild is identical" in told.stdout


def test_another_clone_builds_it_without_an_error_line(second: Clone) -> None:
    told = second.make("dataset", "DS=reviews", "SOURCE=upstream")
    assert "error:" not in told.stderr and "reviews: 2024.csv from local" in told.stderr
    assert git(second.folder, "status", "--porcelain") == ""
    assert not list((second.folder / "data/reviews/.sources").iterdir())


def test_gc_by_releases_keeps_it(second: Clone, world: Path) -> None:
    before = sorted((world / "remote").rglob("*"))
    subprocess.run(
        ["tools/run", "registry", "--help"], cwd=second.folder, env=second.known, check=True, capture_output=True
    )
    gc = ["dvc", "gc", "--all-tags", "--all-branches", "--cloud", "--remote", "local", "-f"]
    environment = next(Path(second.known["REGISTRY_ENVS"]).glob("registry-*/bin"))
    subprocess.run([environment / gc[0], *gc[1:]], cwd=second.folder, env=second.known, check=True, capture_output=True)
    assert sorted((world / "remote").rglob("*")) == before


def test_bytes_that_are_nowhere_are_named(second: Clone, tmp_path: Path) -> None:
    (second.folder / ".dvc/config.local").write_text(f"['remote \"local\"']\n    url = {tmp_path / 'empty'}\n")
    told = second.make("dataset", "DS=reviews", "SOURCE=upstream", code=10)
    assert (
        "error: data/reviews/sources.csv: 2024.csv not in this clone, nor in the raw files on local; fix: make push "
        "DS=reviews where it was built, or make refresh DS=reviews FROM=<the files>" in told.stderr
    )


def test_a_new_file_is_a_new_row_and_moves_no_sample(first: Clone, world: Path) -> None:
    sources = first.folder / "data/reviews/sources.csv"
    rows, samples = sources.read_text().splitlines(), first.samples()
    (world / "mine/2025.csv").write_text(reviews(50, 80))
    describe(first, "2024.csv", "2025.csv")
    told = first.make("refresh", "DS=reviews", f"FROM={world / 'mine'}")
    assert "added     2025.csv" in told.stdout and "changed" not in told.stdout
    assert sources.read_text().splitlines()[:2] == rows and len(sources.read_text().splitlines()) == 3
    first.make("dataset", "DS=reviews", "SOURCE=upstream")
    assert first.samples().items() >= samples.items() and len(first.samples()) == 80
    git(first.folder, "checkout", "-q", "--", "data/reviews")


def test_only_the_file_of_a_new_row_is_fetched(second: Clone) -> None:
    with Scripted().running() as server:
        for name, at in (("a.csv", 0), ("b.csv", 20)):
            server.on(f"/{name}", Reply(reviews(at, at + 20).encode()))
        folder, both = second.folder / "data/grows", ("a.csv", "b.csv")
        shutil.copytree(second.folder / "data/reviews", folder, ignore=shutil.ignore_patterns("dvc.lock", "*.json"))
        for names in (both[:1], both):
            inputs = ", ".join(f"{{file: {name}}}" for name in names)
            upstream = "".join(f"    {name}: ['{server.url}/{name}']\n" for name in names)
            params = PARAMS.replace("inputs: []", f"inputs: [{inputs}]").replace("reviews", "grows")
            (folder / "params.yaml").write_text(f"{params}upstream:\n  kind: urls\n  files:\n{upstream}")
            second.make("refresh", "DS=grows", FETCH_TRUST=server.origin)
            server.seen.clear()
            second.make("dataset", "DS=grows", "SOURCE=upstream", FETCH_TRUST=server.origin)
            assert [request.path for request in server.seen] == [f"/{names[-1]}"]


def test_release_is_rebuilt_when_its_upstream_has_gone(first: Clone, second: Clone, world: Path) -> None:
    """Of three files one is still there, one is deleted, and one is on a host that no longer answers."""
    with Scripted().running() as server:
        pins, names = [], ("a.csv", "b.csv", "c.csv")
        for number, name in enumerate(names):
            content = reviews(100 * number, 100 * number + 20).encode()
            pins.append((name, server.on(f"/{name}", Reply(content)), content))
        trust = f"{server.origin},127.0.0.1:9"
        folder = second.folder / "data/gone"
        shutil.copytree(second.folder / "data/reviews", folder, ignore=shutil.ignore_patterns("dvc.lock", "*.json"))
        inputs = ", ".join(f"{{file: {name}}}" for name in names)
        params = PARAMS.replace("inputs: []", f"inputs: [{inputs}]").replace("reviews", "gone")
        upstream = "".join(f"    {name}: [{url}]\n" for name, url, _ in pins)
        (folder / "params.yaml").write_text(f"{params}upstream:\n  kind: urls\n  files:\n{upstream}")
        second.make("refresh", "DS=gone", FETCH_TRUST=trust)
        git(second.folder, "add", "data/gone")
        git(second.folder, "commit", "-q", "-m", "Gone")
        git(second.folder, "push", "-q")
        second.make("dataset", "DS=gone", "SOURCE=upstream", FETCH_TRUST=trust)
        second.make("release", "DS=gone", "VERSION=1.0.0", FETCH_TRUST=trust)
        server.on("/b.csv", Reply(status=404))
        server.on("/c.csv", Reply(status=503))
        shutil.rmtree(second.folder / ".dvc/cache")
        told = second.make("verify", "DS=gone", "REBUILD=1", FETCH_TRUST=trust)
        assert "the rebuild is identical" in told.stdout
        lines = [line for line in told.stderr.splitlines() if "no source answered" in line]
        assert len(lines) == 1 and "b.csv" in lines[0] and "c.csv from local" in lines[0], told.stderr
        shutil.rmtree(folder / "raw")
        told = second.make("dataset", "DS=gone", "SOURCE=upstream", FETCH_TRUST=trust)
        assert "no source answered" in told.stderr and "b.csv" in told.stderr
        assert json.loads((folder / "metadata.json").read_text())["provenance"]["sample"] is False
        assert git(second.folder, "status", "--porcelain") == ""
