"""A consumer's first minute: an empty folder, one command of pip, a release from a bare origin and an S3 remote."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import git, make_clone
from unit.registry.lineage_world import World, greetings
from worlds.s3 import Server, make_world, real_server

pytestmark = [pytest.mark.docker, pytest.mark.extended]

DEBIAN = "data-registry/test-debian-client:13"
DOCKERFILE = """\
FROM debian:trixie-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv git ca-certificates
"""
SCRIPT = """\
python3 -m venv env
env/bin/pip install -q "data-registry-client[pandas] @ git+$DVC_REPO#subdirectory=tools/client"
env/bin/python train.py
"""
PROGRAM = """
import importlib, json, pkgutil, sys
import data_registry
from data_registry import errors, get, list_releases, load, verify
train = load("greetings", "greetings-v1.0.0", split="train")
verify("greetings", "1.0.0")
try:
    load("greetings", "2.0.0")
except errors.UsageError as error:
    mistake = str(error)
for module in pkgutil.walk_packages(data_registry.__path__, "data_registry."):
    importlib.import_module(module.name)
print(json.dumps({
    "python": sys.version_info[:2], "releases": list_releases(), "rows": train.to_pandas().to_dict("list"),
    "files": get("greetings", "latest", "greetings").files, "mistake": mistake,
    "own names": sorted(name for name in sys.modules if name in ("stage", "samples", "registry", "click")),
}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with real_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def consumer(root: Path, server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder with the bare origin, whose data is on S3 alone, and the environment of a consumer."""
    folder = tmp_path_factory.mktemp("consumer")
    world = World(make_clone(root, folder / "clone"), folder / "store")
    remote = make_world(server, folder / "home", endpoint="AWS_ENDPOINT_URL", url="of the bucket")
    remote.write(world.root / ".dvc")
    (world.root / ".dvc" / "config.local").unlink()
    (world.root / "data" / "greetings").mkdir()
    (world.root / "data" / "greetings" / "params.yaml").write_text("{}\n")
    world.release("greetings", "1.0.0", greetings())
    for path in filter(Path.is_file, world.store.rglob("*")):
        name = path.relative_to(world.store).as_posix()
        server.client.fput_object(bucket_name=remote.bucket, object_name=name, file_path=str(path))
    git(folder, "clone", "-q", "--bare", "clone", "origin.git")
    kept = {name: value for name, value in remote.known.items() if not name.startswith(("REGISTRY_", "PYTHON"))}
    # With a host, for pip up to 23 takes no URL without one.
    return folder, {**kept, "DVC_REPO": f"file://localhost{folder / 'origin.git'}"}


def check(stdout: str) -> tuple[int, int]:
    found = json.loads(stdout.splitlines()[-1])
    assert found["rows"] == {"text": ["hello", "go away", "oh", "hello"], "label": ["joy", "anger", "joy", "love"]}
    assert found["releases"] == {"greetings": ["1.0.0"]} and found["files"] == 5 and found["own names"] == []
    assert found["mistake"] == "version: greetings 2.0.0 not found; fix: use one of: 1.0.0, latest"
    major, minor = found["python"]
    return major, minor


def test_here(consumer: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    environ = {**consumer[1], "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    (tmp_path / "train.py").write_text(PROGRAM)
    done = subprocess.run(["sh", "-ec", SCRIPT], cwd=tmp_path, env=environ, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr[-4000:]
    assert check(done.stdout) == sys.version_info[:2]


def test_on_debian_13(consumer: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    subprocess.run(["docker", "build", "-q", "-t", DEBIAN, "-"], input=DOCKERFILE, text=True, check=True)
    folder, known = consumer
    (tmp_path / "train.py").write_text(PROGRAM)
    names = [name for name in known if name.startswith(("AWS_", "DVC_", "PIP_", "HOME"))]
    shared = {str(folder), str(tmp_path), *(known[name] for name in names if Path(known[name]).is_absolute())}
    command = ["docker", "run", "--rm", "--network", "host", "--user", f"{os.getuid()}:{os.getgid()}"]
    command += [option for path in shared if Path(path).exists() for option in ("--volume", f"{path}:{path}")]
    command += [option for name in names for option in ("--env", name)]
    command += ["--workdir", str(tmp_path), DEBIAN, "sh", "-ec", SCRIPT]
    done = subprocess.run(command, env={**os.environ, **known}, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr[-4000:]
    assert check(done.stdout) == (3, 13)
