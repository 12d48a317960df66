"""Release, get, verify, show, compare, search, catalogue: the same with the git of other people as with a plain one."""

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from catalog.cli import cli as catalog
from click.testing import CliRunner, Result
from cluster.github.request import changed_datasets
from cluster.steps.publish import publish
from cluster.steps.workspace import Workspace
from conftest import git
from data_registry.git import Git
from data_registry.releases.lookup import release_at
from registry.build.scratch import make_scratch, run_in
from registry.cli import cli
from unit.cluster import steps_world
from unit.registry.lineage_records import records, train
from unit.registry.releases_fixture import make_registry as make_released
from unit.registry.tiny import build, make_registry
from worlds.git import NAMES, TOGETHER, entered, hostile, pairs, victim

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's, with SQLAlchemy 2.1

NAME = "numbers"
TAGS = [f"{NAME}-v1.0.0", f"{NAME}-v1.1.0"]
LATER = (("a", 1), ("b", 7), ("d", 4))


@dataclasses.dataclass(frozen=True)
class Place:
    """A folder with origin, store and clone, and what a process in it finds in its environment."""

    folder: Path
    clone: Path
    environ: dict[str, str]

    def run(self, *arguments: str, code: int = 0) -> Result:
        environ: dict[str, str | None] = {
            **dict.fromkeys(("DVC_REPO", "DVC_REPO_URL", "DVC_REMOTE", "ENV"), None),
            "REGISTRY_ROOT": str(self.clone),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}",
            "DVC_SITE_CACHE_DIR": str(self.folder / "site"),
            **self.environ,
        }
        command = (catalog, ["build"]) if arguments == ("catalog",) else (cli, [*arguments])
        done = CliRunner().invoke(*command, env=environ, catch_exceptions=False)
        assert done.exit_code == code, f"{arguments}: {done.output}"
        return done


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, empty: bytes) -> Iterator[Path]:
    """A registry with one dataset that is built; and the same dataset built with other rows."""
    folder = tmp_path_factory.mktemp("built")
    clone = make_registry(folder / "world", [NAME])
    (folder / "world" / "mlflow.db").write_bytes(empty)
    shutil.copytree(folder / "world", folder / "later", symlinks=True)
    build(folder / "later" / "clone", NAME, LATER)
    assert clone.is_dir()
    yield folder


@pytest.fixture(scope="module")
def plain(built: Path) -> "Journey":
    return journey(built, built / "plain")


@dataclasses.dataclass(frozen=True)
class Journey:
    """What came of it: objects in origin, and answers."""

    trees: dict[str, str]
    answers: dict[str, Any]


def journey(built: Path, folder: Path, *names: str) -> Journey:
    """Go the whole way with the settings of these names."""
    shutil.copytree(built / "world", folder, symlinks=True)
    environ = hostile(folder / "git", *names)
    theirs = victim(folder / "git")
    place = Place(folder, entered(folder / "clone", *names), environ)
    config = _config(place.clone)
    place.run("release", NAME, "--version", "1.0.0")
    shutil.copytree(built / "later" / "clone" / "data" / NAME, place.clone / "data" / NAME, dirs_exist_ok=True)
    shutil.copytree(built / "later" / "clone" / ".dvc" / "cache", place.clone / ".dvc" / "cache", dirs_exist_ok=True)
    place.run("release", NAME, "--bump", "minor")
    assert "already released" in place.run("release", NAME, "--version", "1.1.0").stdout
    answers = _answers(place)
    assert _config(place.clone) == config, "nothing is set in the clone"
    assert victim(folder / "git") == theirs, "the repository of a hook around us stays as it is"
    assert (folder / "git" / "pushed").exists() == ("hooks" in names), "a guard of the user runs"
    origin = folder / "origin.git"
    for tag in TAGS:
        assert git(origin, "cat-file", "-t", f"refs/tags/{tag}") == "tag\n"
        for kind in ("tag", "commit"):
            head = git(origin, "cat-file", kind, f"refs/tags/{tag}").partition("\n\n")[0]
            assert "encoding" not in head and "gpgsig" not in head
    trees = {tag: git(origin, "rev-parse", f"refs/tags/{tag}^{{tree}}").strip() for tag in TAGS}
    return Journey(trees, answers)


def _config(clone: Path) -> str:
    main = clone if (clone / ".git").is_dir() else clone.with_name(f"{clone.name}-main")
    return (main / ".git" / "config").read_text()


def _answers(place: Place) -> dict[str, Any]:
    answers: dict[str, Any] = {"verify": place.run("verify", "--all").stdout}
    for version, repo in (("1.0.0", ()), ("latest", ("--repo", str(place.folder / "origin.git")))):
        out = place.folder / "out" / version
        place.run("get", NAME, version, str(out), *repo, "--remote", "local")
        answers[f"get {version}"] = {
            str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()
        }
    shown = json.loads(place.run("show", NAME, "--json").stdout)
    answers["show"] = [(each["version"], each["logical_hash"]) for each in shown["versions"]]
    answers["incomplete"] = shown["incomplete"]
    answers["diff"] = json.loads(place.run("diff", NAME, "1.0.0", "1.1.0", "--format", "json").stdout)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in place.environ.items():
            patch.setenv(name, value)
        answers["changed"] = changed_datasets(Git(place.clone), "HEAD~1")
        with records(place.folder, (place.folder / "mlflow.db").read_bytes()) as client:
            logged = {"name": NAME, "version": "1.0.0", "repo": str(place.clone), "remote": "local"}
            train(client, "model", logged, tags={"dvc_data_version": TAGS[0]})
    found = json.loads(place.run("whohas", 'row:["b"]', "--json").stdout)
    answers["whohas"] = sorted((each["tag"], each["row"]) for each in found["releases"])
    answers["models"] = [(each["model"], each["tag"], each["status"]) for each in found["models"]]
    explained = json.loads(place.run("explain", "model/1", "--json").stdout)
    answers["explain"] = (explained["release"], len(explained["parts"]))
    answers["catalog"] = place.run("catalog").stdout.partition(", in")[0]
    return answers


def test_the_plain_world(plain: Journey) -> None:
    answers = plain.answers
    assert [version for version, _ in answers["show"]] == ["1.1.0", "1.0.0"]
    assert (answers["incomplete"], answers["changed"]) == ([], set())
    assert answers["verify"].count("all as released") == 2
    assert answers["whohas"] == [(tag, 1) for tag in TAGS]
    assert answers["models"] == [("model", TAGS[0], "selected")]
    assert answers["explain"] == (TAGS[0], 1)
    assert answers["catalog"] == "1 datasets, 2 releases"
    assert "folder/in/c.txt" in answers["get 1.0.0"] and "folder/in/d.txt" in answers["get latest"]


def test_the_hostile_world(built: Path, plain: Journey, tmp_path: Path) -> None:
    found = journey(built, tmp_path / "world", *TOGETHER)
    assert found == plain


def test_a_scratch_copy_of_the_hostile_world(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(built / "world" / "clone", tmp_path / "clone", symlinks=True)
    environ = hostile(tmp_path / "git", *TOGETHER)
    theirs, config = victim(tmp_path / "git"), _config(tmp_path / "clone")
    with monkeypatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        clone = make_scratch(tmp_path / "clone", tmp_path / "scratch")
        run_in(clone, "git", "config", "only.here", "yes")  # what a build in it may do
    assert (victim(tmp_path / "git"), _config(tmp_path / "clone")) == (theirs, config)
    assert "name = demo" in _config(clone) and "here = yes" in _config(clone)
    files = git(clone, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
    assert {f"data/{NAME}/{name}" for name in ("dvc.yaml", "params.yaml", "sources.csv")} <= {*files}
    assert git(clone, "rev-parse", "HEAD") == git(tmp_path / "scratch" / "origin.git", "rev-parse", "main")


def test_a_release_is_built_again_in_the_hostile_world(tmp_path: Path) -> None:
    registry = make_released(tmp_path / "clone")
    environ = hostile(tmp_path / "git", *TOGETHER)
    theirs = victim(tmp_path / "git")
    done = registry.run("verify", "letters", "--rebuild", **environ)
    assert (done.returncode, "the rebuild is identical" in done.stdout) == (0, True), done.stderr
    assert victim(tmp_path / "git") == theirs


@pytest.mark.extended
def test_a_workflow_in_the_hostile_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = steps_world.make_world(tmp_path / "world")
    environ = hostile(tmp_path / "git", *TOGETHER)
    theirs = victim(tmp_path / "git")
    for name in ("REGISTRY_ROOT", "ENV", "DVC_REMOTE", "AWS_ENDPOINT_URL", "DS"):
        monkeypatch.delenv(name, raising=False)
    with monkeypatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        steps_world.work(Workspace(world), steps_world.plan(world))
        assert publish(Workspace(world), "local", "auto").tag == "letters-v1.0.0"
        assert steps_world.plan(world).publish is False, "nothing is stale any more"
    assert victim(tmp_path / "git") == theirs
    assert git(world / "origin.git", "cat-file", "-t", "refs/tags/letters-v1.0.0") == "tag\n"


def test_objects_of_the_other_hash_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sha256").mkdir()
    git(tmp_path / "sha256", "init", "-q", "--object-format=sha256")
    (tmp_path / "sha256" / "data" / NAME).mkdir(parents=True)
    (tmp_path / "sha256" / "data" / NAME / "metadata.json").write_text("{}")
    git(tmp_path / "sha256", "add", "-A")
    git(tmp_path / "sha256", "commit", "-q", "-m", "x")
    git(tmp_path / "sha256", "tag", "-a", "-m", "x", TAGS[0])
    with release_at((tmp_path / "sha256").as_uri(), NAME, "latest") as release:
        assert release.read("metadata.json") == b"{}"


@pytest.mark.extended
@pytest.mark.parametrize("name", NAMES)
def test_each_setting(built: Path, plain: Journey, tmp_path: Path, name: str) -> None:
    assert journey(built, tmp_path / "world", name) == plain


@pytest.mark.slow
@pytest.mark.parametrize("names", pairs(), ids=", ".join)
def test_pairs_of_settings(built: Path, plain: Journey, tmp_path: Path, names: tuple[str, str]) -> None:
    assert journey(built, tmp_path / "world", *names) == plain
