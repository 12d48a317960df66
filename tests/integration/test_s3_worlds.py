"""Data goes to an S3 server and back whatever DVC and the AWS libraries have been told of it."""

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_registry.git import Git
from data_registry.store.remote import open_store
from integration.clones import DVC
from registry.transfer.remotes import try_out
from unit.registry.releases_fixture import Registry, make_registry
from worlds.s3 import REGION, Server, World, aspects, make_world, real_server

pytestmark = [pytest.mark.extended, pytest.mark.docker]

# As many as go together: none of them is where this registry's own files have it.
HOSTILE = {
    "keys": "credential process",
    "region": "of the profile",
    "certificates": "ssl_verify",
    "endpoint": "with a slash",
    "url": "with a slash",
    "route": "a proxy",
    "style": "path",
    "checksums": "when required",
}
CHOICES = {aspect: list(choices) for aspect, choices in aspects("", "", "", Path(), "").items()}
EACH = [(aspect, name) for aspect, names in CHOICES.items() for name in names]
PAIRS = [
    ((one, two), dict([first, second]))
    for one, two in itertools.combinations(CHOICES, 2)
    for first in ((one, name) for name in CHOICES[one][1:])
    for second in ((two, name) for name in CHOICES[two][1:])
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with real_server(tmp_path_factory.mktemp("s3")) as made:
        yield made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return make_registry(tmp_path_factory.mktemp("built") / "clone")


def clone_in(world: World, built: Registry, folder: Path) -> Path:
    """Return a clone in which everything is built, in a world."""
    clone = folder / "clone"
    shutil.copytree(built.root, clone, symlinks=True)
    world.write(clone / ".dvc")
    git = Git(clone)
    git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-a", "-m", "Where the data is")
    return clone


def run(world: World, clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; sys.argv[0] = 'registry'; from registry.cli import cli; cli()"
    known = {**world.known, "REGISTRY_ROOT": str(clone)}
    command = [sys.executable, "-P", "-c", program, *arguments]
    return subprocess.run(command, cwd=clone, env=known, text=True, capture_output=True, timeout=120)


# The registry finds the region by AWS_REGION or the server; botocore, and so DVC, reads AWS_DEFAULT_REGION alone.
UNKNOWN_TO_DVC = {"AWS_REGION", "nobody says it"}


def goes_and_comes_back(world: World, built: Registry, folder: Path, choice: str = "") -> None:
    """Push a dataset, read it back, get it, pull it; then let DVC itself fetch it."""
    for_dvc = {"AWS_DEFAULT_REGION": REGION} if choice in UNKNOWN_TO_DVC else {}
    clone = clone_in(world, built, folder)
    sent = run(world, clone, "push", "letters", "--remote", "there")
    assert sent.returncode == 0 and "5 of 5 objects on there, 5 sent" in sent.stdout, sent.stderr
    for command in (
        ["verify", "letters", "--remote", "there"],
        ["get", "letters", "1.0.0", str(folder / "out"), "--remote", "there"],
        ["doctor", "--remote", "there"],
    ):
        done = run(world, clone, *command)
        if command[0] != "doctor":
            assert done.returncode == 0, done.stderr
        else:
            assert "remote there" in done.stdout and "remote there      problem" not in done.stdout, done.stdout
    csv = (clone / "data/letters/processed/letters.csv").read_bytes()
    assert (folder / "out/processed/letters.csv").read_bytes() == csv
    for fetch in (
        lambda: run(world, clone, "pull", "letters", "--remote", "there"),
        lambda: subprocess.run(
            [DVC, "pull", "-f", "-r", "there", "data/letters/dvc.yaml"],
            cwd=clone,
            env=world.known | for_dvc,
            text=True,
            capture_output=True,
        ),
    ):
        shutil.rmtree(clone / ".dvc/cache")
        shutil.rmtree(clone / "data/letters/processed")
        done = fetch()
        assert done.returncode == 0, done.stderr
        assert (clone / "data/letters/processed/letters.csv").read_bytes() == csv


def test_hostile_world(server: Server, built: Registry, tmp_path: Path) -> None:
    world = make_world(server, tmp_path / "home", **HOSTILE)
    before = len(server.proxy.targets)
    goes_and_comes_back(world, built, tmp_path)
    assert f"localhost:{server.port}" in server.proxy.targets[before:]


@pytest.mark.extended
@pytest.mark.parametrize(("aspect", "choice"), EACH)
def test_each_setting_alone(server: Server, built: Registry, tmp_path: Path, aspect: str, choice: str) -> None:
    goes_and_comes_back(make_world(server, tmp_path / "home", **{aspect: choice}), built, tmp_path, choice)


@pytest.mark.slow
@pytest.mark.parametrize("aspects", sorted({pair for pair, _ in PAIRS}))
def test_pairs_of_settings(
    server: Server, built: Registry, tmp_path: Path, aspects: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the commands around it, for there are hundreds."""
    for number, chosen in enumerate(chosen for pair, chosen in PAIRS if pair == aspects):
        world = make_world(server, tmp_path / str(number) / "home", **chosen)
        (tmp_path / str(number) / ".dvc").mkdir()
        world.write(tmp_path / str(number) / ".dvc")
        with monkeypatch.context() as patched:
            for name in set(os.environ) - set(world.known):
                patched.delenv(name)
            for name, value in world.known.items():
                patched.setenv(name, value)
            try_out(open_store(Git(tmp_path / str(number)), "HEAD"))
            assert not list(server.client.list_objects(bucket_name=world.bucket, recursive=True)), chosen
