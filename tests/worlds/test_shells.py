"""Build, release, show, verify, get and catalogue: the same in every shell, from any path."""

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import environ
from registry.build.scratch import make_scratch
from worlds.shells import ALL, ODD_PATH, SHELLS, Shell

DATASET = "wine-quality"
NO_MORE = {"FETCH_MIRROR", "AWS_ENDPOINT_URL", "MLFLOW_TRACKING_URI", "PGVECTOR_HOST"}


@dataclasses.dataclass(frozen=True)
class World:
    clone: Path
    known: dict[str, str]
    folder: Path  # of the shell

    def make(self, shell: Shell, *arguments: str) -> subprocess.CompletedProcess[str]:
        return shell.run(["make", "-s", *arguments, f"DS={DATASET}"], self.folder, self.clone, self.known)

    def good(self, shell: Shell, *arguments: str) -> str:
        done = self.make(shell, *arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def built(self) -> dict[str, bytes]:
        """Return the outputs and what is known of them."""
        folder = self.clone / "data" / DATASET
        names = ("dvc.lock", "metadata.json", "processed/wine-quality.csv", "samples.parquet")
        return {name: (folder / name).read_bytes() for name in names}

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.clone, env=self.known, check=True, text=True, capture_output=True
        ).stdout


def make_world(root: Path, folder: Path) -> World:
    known = {name: value for name, value in environ(root, ENV="local", RUNTIME="host").items() if name not in NO_MORE}
    (folder / "shell").mkdir(parents=True)
    return World(make_scratch(root, folder / ODD_PATH / ".demo"), known, folder / "shell")


@pytest.fixture(scope="module")
def plain(root: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world in which everything was done in an ordinary shell."""
    world = make_world(root, tmp_path_factory.mktemp("plain"))
    world.good(Shell(), "dataset")
    world.good(Shell(), "release", "VERSION=1.0.0")
    world.good(Shell(), "catalog")  # whose environment no shell with PIP_NO_INDEX can make
    return world


def journey(world: World, shell: Shell) -> dict[str, str]:
    """Read a release in all ways, and return what each command prints."""
    shutil.rmtree(world.folder / "out", ignore_errors=True)
    said = {
        "show": world.good(shell, "show"),
        "verify": world.good(shell, "verify", "VERSION=1.0.0"),
        "get": world.good(shell, "get", "VERSION=1.0.0", f"OUT={world.folder / 'out'}"),
    }
    assert (world.folder / "out/processed/wine-quality.csv").read_bytes() == world.built()["processed/wine-quality.csv"]
    return said


def test_everything_in_a_shell_with_all_of_it(root: Path, tmp_path: Path, plain: World) -> None:
    world = make_world(root, tmp_path / "all")
    world.good(ALL, "dataset")
    assert world.built() == plain.built()
    assert "wine-quality-v1.0.0: released" in world.good(ALL, "release", "VERSION=1.0.0")
    assert world.git("tag", "--list") == "wine-quality-v1.0.0\n"
    said = journey(world, ALL)
    assert "versions  1.0.0" in said["show"] and "all as released" in said["verify"]
    assert "1 releases" in world.good(ALL, "catalog")
    assert list((tmp_path / "all/shell").rglob("*.git*")) == [], "nothing where GIT_DIR leads to"


# Makes the clone ($0) one that cannot be written, and runs a command.
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" || exit 99; cd "$0" && exec "$@"'


@pytest.mark.extended
def test_what_only_reads_works_in_a_clone_that_cannot_be_written(plain: World, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["unshare", "-m", "sh", "-c", READ_ONLY, str(plain.clone), "make", "-s", *arguments]
        done = subprocess.run(command, env=plain.known, text=True, capture_output=True)
        if done.returncode == 99 or "unshare: " in done.stderr:
            pytest.skip("nothing can be mounted here")
        return done

    for arguments in (
        ["show", f"DS={DATASET}"],
        ["verify", f"DS={DATASET}", "VERSION=1.0.0"],
        ["get", f"DS={DATASET}", "VERSION=1.0.0", f"OUT={tmp_path / 'out'}"],
        ["diff", f"DS={DATASET}", "A=1.0.0", "B=1.0.0"],
        ["whohas", "SAMPLE=" + "0" * 32],
        ["catalog", f"OUT={tmp_path / 'site'}"],
    ):
        done = run(*arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    assert (tmp_path / "out/processed/wine-quality.csv").is_file() and (tmp_path / "site/index.html").is_file()
    refused = run("catalog", f"OUT={tmp_path / 'out'}")
    assert "out: already exists and is not a catalogue; fix: choose a new or empty folder" in refused.stderr
    for arguments in (["dataset"], ["push"], ["release", "VERSION=1.0.1"]):
        done = run(*arguments, f"DS={DATASET}")
        if arguments == ["push"] and done.returncode == 0:  # it was seen to end well, where nothing is left to send
            assert "5 of 5 objects on local, 0 sent" in done.stdout
            continue
        assert done.returncode == 2 and "Traceback" not in done.stderr
        line = next(line for line in done.stderr.splitlines() if line.startswith("error: "))
        assert "; fix: run as the owner of this" in line, line


@pytest.mark.extended
@pytest.mark.parametrize("name", SHELLS)
def test_each_setting_alone(plain: World, name: str) -> None:
    folder = plain.clone / "data" / DATASET
    before, expected = plain.built(), journey(plain, Shell())
    shutil.rmtree(plain.clone / ".dvc/cache/runs")
    (folder / "dvc.lock").unlink()  # so that every stage runs again
    plain.good(SHELLS[name], "dataset")
    assert plain.built() == before
    plain.git("checkout", "-q", "--", ".")
    assert {key: _plain(text) for key, text in journey(plain, SHELLS[name]).items()} == {
        key: _plain(text) for key, text in expected.items()
    }
    plain.good(SHELLS[name], "catalog")


def _plain(text: str) -> list[str]:
    return text.split()
