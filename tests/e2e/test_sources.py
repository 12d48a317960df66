"""What make dataset does when no source answers, and how it refuses nonsense."""

import subprocess
from pathlib import Path

import pytest
from conftest import environ, git, make_clone

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def clone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose sources do not answer: a reserved port of this machine, trusted, and closed."""
    folder = make_clone(root, tmp_path_factory.mktemp("sources") / "clone")
    sources = folder / "data/wine-quality/sources.csv"
    lines = sources.read_text().splitlines()
    kept = [line for line in lines[1:] if "archive.ics.uci.edu" in line]
    sources.write_text("\n".join([lines[0], *kept]).replace("https://archive.ics.uci.edu", "http://127.0.0.1:9") + "\n")
    params = folder / "data/wine-quality/params.yaml"
    params.write_text(params.read_text().replace("fetcher:\n", "fetcher:\n  tries: 1\n"))
    git(folder, "commit", "-q", "-a", "-m", "Sources that do not answer")
    return folder


def make(clone: Path, root: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    known = environ(root, RUNTIME="host", FETCH_TRUST="127.0.0.1:9")
    return subprocess.run(["make", "dataset", *variables], cwd=clone, env=known, text=True, capture_output=True)


def closing(made: subprocess.CompletedProcess[str]) -> str:
    return [line for line in made.stderr.splitlines() if line.startswith("error:")][-1]


def test_auto_says_so_and_builds_the_sample_elsewhere(clone: Path, root: Path) -> None:
    demo = clone / ".demo/repo/site/index.html"
    demo.parent.mkdir(parents=True)
    demo.write_text("of a finished demo")
    made = make(clone, root, "DS=wine-quality")
    assert made.returncode == 0, made.stderr
    assert "No source of wine-quality answered" in made.stderr and "SYNTHETIC SAMPLE" in made.stdout
    assert (clone / ".demo/sample/repo/data/wine-quality/processed/wine-quality.csv").exists()
    assert "in .demo/sample/ instead" in made.stderr and "The samples are in .demo/sample/repo; " in made.stderr
    assert demo.read_text() == "of a finished demo" and not (clone / ".demo/repo/data").exists()
    assert not (clone / "data/wine-quality/processed").exists()
    assert git(clone, "status", "--porcelain") == ""


def test_upstream_fails_with_the_code_of_the_network(clone: Path, root: Path) -> None:
    made = make(clone, root, "DS=wine-quality", "SOURCE=upstream")
    assert made.returncode == 2  # make's own
    assert "Error 12" in made.stderr
    assert closing(made).startswith("error: wine-quality: stage fetcher failed with exit 12")
    assert git(clone, "status", "--porcelain") == ""


def test_sample_is_built_in_the_scratch_copy(clone: Path, root: Path) -> None:
    made = make(clone, root, "DS=wine-quality", "SOURCE=sample")
    assert made.returncode == 0 and "60 rows" in made.stdout, made.stderr
    assert git(clone, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    "name", ["nope", "../wine-quality", "$$(touch pwned)", "", "wine-quality;touch pwned", "--help"]
)
def test_nonsense_names_are_refused_and_run_nothing(clone: Path, root: Path, name: str) -> None:
    made = make(clone, root, f"DS={name}")
    assert made.returncode == 2 and "Error 2" in made.stderr
    assert "; fix: use one of: emotion, fashion-mnist, " in closing(made) and closing(made).endswith(", all")
    assert not list(clone.rglob("pwned"))


@pytest.mark.parametrize(
    "variables",
    [
        ["DS=$$(touch pwned)", "VERSION=1.0.0"],
        ["DS=../x", "VERSION=1.0.0"],
        ["DS=all", "VERSION=1.0.0"],
        ["DS=wine-quality", "VERSION=v1"],
        ["DS=wine-quality", "VERSION=$$(touch pwned)"],
        ["DS=wine-quality", "VERSION=--upload-pack=touch pwned"],
        ["DS=wine-quality", "VERSION=1.0.0", "BUMP=major"],
        ["DS=wine-quality"],
    ],
    ids=" ".join,
)
def test_nonsense_releases_are_refused_and_run_nothing(clone: Path, root: Path, variables: list[str]) -> None:
    known = environ(root, RUNTIME="host")
    made = subprocess.run(["make", "release", *variables], cwd=clone, env=known, text=True, capture_output=True)
    assert made.returncode == 2 and "Error 2" in made.stderr and closing(made), made.stderr
    assert not list(clone.rglob("pwned")) and git(clone, "tag") == ""


def test_a_cut_lock_file_is_noticed(clone: Path, root: Path) -> None:
    """A dvc.lock that lost a stage is valid YAML; DVC would take it (fault V11)."""
    from data_registry.stage.errors import ReleaseRefused
    from registry.datasets import Dataset

    folder = clone / "data/wine-quality"
    text = (folder / "dvc.lock").read_text()
    try:
        (folder / "dvc.lock").write_text(text.partition("  stats:")[0])
        with pytest.raises(ReleaseRefused, match="stage stats not found"):
            Dataset("wine-quality", folder).check_lock()
    finally:
        (folder / "dvc.lock").write_text(text)
