"""make refresh: what upstream holds goes into sources.csv, what changed is told, and nothing else is touched."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import environ, git
from launcher.images import refresh_images
from registry.cli import cli

UPSTREAM = "upstream:\n  kind: urls\n  files:\n"


@pytest.fixture
def tree(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the real tools, and the dataset `apples` without an upstream."""
    shutil.copytree(root / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests").mkdir()
    shutil.copy(root / "tests" / "pyproject.toml", tmp_path / "tests")
    (tmp_path / "data" / "apples").mkdir(parents=True)
    refresh_images(tmp_path)
    (tmp_path / "data/apples/dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "data/apples/params.yaml").write_text("dataset:\n  name: apples\n")
    git(tmp_path, "init", "-q")
    for name, value in environ(root, RUNTIME="host", REGISTRY_ROOT=str(tmp_path)).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def offer(tree: Path, *files: str, text: str = "x\n1\n") -> None:
    """Have upstream hold these files, beside sources.csv."""
    params = tree / "data/apples/params.yaml"
    params.write_text(UPSTREAM + "".join(f"    {name}: [file:upstream/{name}]\n" for name in files))
    (tree / "data/apples/upstream").mkdir(exist_ok=True)
    for name in files:
        (tree / "data/apples/upstream" / name).write_text(text)


def refresh(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["refresh", *arguments])


def state(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in (tree / "data").rglob("*") if path.is_file()}


def test_changes_are_told_and_only_sources_are_written(tree: Path) -> None:
    offer(tree, "kept.csv", "other.csv", "gone.csv")
    before = state(tree)
    lines = refresh("apples").output.splitlines()
    assert lines[:4] == [
        "apples: 3 files upstream",
        "  added     kept.csv, other.csv, gone.csv",
        "data/apples/sources.csv is not in git yet; its change:",
        "+name,url,sha256,bytes",
    ]
    assert len(lines) == 7 and lines[4].startswith("+kept.csv,file:upstream/kept.csv,") and len(lines[4]) <= 80
    git(tree, "add", "data/apples/sources.csv")
    after = state(tree)
    assert set(after) - set(before) == {"data/apples/sources.csv"} and after.items() > before.items()
    offer(tree, "new.csv", "kept.csv", "other.csv")
    (tree / "data/apples/upstream/other.csv").write_text("x\n2\n")
    assert refresh("apples").output.splitlines() == [
        "apples: 3 files upstream",
        "  added     new.csv",
        "  changed   other.csv",
        "  removed   gone.csv",
        "review with: git diff data/apples/sources.csv",
    ]
    before = state(tree)
    assert refresh("apples").output == "apples: no change upstream (3 files)\n"
    assert state(tree) == before


def test_many_names_fit_a_terminal(tree: Path) -> None:
    offer(tree, "measurements.csv")
    refresh("apples")
    git(tree, "add", "data/apples/sources.csv")
    offer(tree, *(f"measurements-of-apples-{number:02}.csv" for number in range(23)))
    told = refresh("apples").output
    assert all(len(line) <= 80 for line in told.splitlines())
    assert (
        "measurements-of-apples-19.csv and 3 more removed measurements.csv review with" in " ".join(told.split())
        and "apples-20" not in told
    )


def test_failure_keeps_its_code_and_the_file(tree: Path, capfd: pytest.CaptureFixture[str]) -> None:
    offer(tree, "a.csv")
    refresh("apples")
    before = (tree / "data/apples/sources.csv").read_bytes()
    (tree / "data/apples/upstream/a.csv").unlink()
    done = refresh("apples")
    assert (done.exit_code, done.stdout) == (13, "")
    assert done.stderr == "error: apples: fetcher resolve failed with exit 13; fix: see its error line above\n"
    assert "error: upstream.files.a.csv: " in capfd.readouterr().err
    assert (tree / "data/apples/sources.csv").read_bytes() == before


def test_dataset_without_upstream_is_usage_unless_all_are_asked(tree: Path) -> None:
    done = refresh("apples")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {tree}/data/apples/params.yaml: section upstream not found; fix: add upstream: with kind: urls, "
        "huggingface, s3 or github-readmes (see tools/fetcher/README.md), or FROM=PATH for local files\n"
    )
    done = refresh("all")
    assert (done.exit_code, done.output) == (0, "apples: no upstream in params.yaml\n")


def test_unknown_dataset_is_usage(tree: Path) -> None:
    assert refresh("pears").stderr == "error: DS: unknown dataset 'pears'; fix: use one of: apples, all\n"


def test_local_files_are_compared_and_stored(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    mine = tmp_path_factory.mktemp("mine")
    for name in ("kept.csv", "other.csv", "gone.csv"):
        (mine / name).write_text(f"x\n{name}\n")
    assert refresh("apples", "--from", str(mine)).output.splitlines()[:2] == [
        "apples: 3 files upstream",
        "  added     gone.csv, kept.csv, other.csv",
    ]
    git(tree, "add", "-f", "data/apples/sources.csv")
    before = (tree / "data/apples/sources.csv").read_text()
    (mine / "gone.csv").unlink()
    (mine / "new.csv").write_text("x\n1\n")
    (mine / "other.csv").write_text("x\n2\n")
    assert refresh("apples", "--from", str(mine)).output.splitlines() == [
        "apples: 3 files upstream",
        "  added     new.csv",
        "  changed   other.csv",
        "  removed   gone.csv",
        "review with: git diff data/apples/sources.csv",
    ]
    after = (tree / "data/apples/sources.csv").read_text()
    assert after.splitlines()[1] == next(line for line in before.splitlines() if line.startswith("kept.csv"))
    assert refresh("apples", "--from", str(mine)).output == "apples: no change upstream (3 files)\n"
    assert str(mine) not in after


def test_local_files_belong_to_one_dataset_without_upstream(tree: Path) -> None:
    offer(tree, "a.csv")
    done = refresh("apples", "--from", "mine")
    assert done.exit_code == 2 and "has the section upstream, and FROM is set; fix: remove one" in done.stderr
    done = refresh("all", "--from", "mine")
    assert done.exit_code == 2 and "error: DS: not set; fix: make refresh DS=my-data FROM=" in done.stderr
