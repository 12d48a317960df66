"""The Python 3.13 of Debian 13 gives the bytes that the Python of these tests gives."""

import os
import subprocess
from pathlib import Path

import pytest
from conftest import environ, git, make_clone
from e2e.conftest import Demo

IMAGE = "data-registry/test-debian:13"
DOCKERFILE = """\
FROM debian:trixie-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv make git ca-certificates
"""
SCRIPT = """\
python3 --version
make demo
for name in wine-quality emotion; do make dataset DS=$name; done
"""


@pytest.fixture(scope="module")
def debian(root: Path, mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A clone in which the demo and two datasets were built there, and what was printed."""
    subprocess.run(["docker", "build", "-q", "-t", IMAGE, "-"], input=DOCKERFILE, text=True, check=True)
    folder = tmp_path_factory.mktemp("debian")
    clone = make_clone(root, folder / "clone")
    settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    settings |= {"HOME": str(folder), "FETCH_MIRROR": str(mirror), "SOURCE": "upstream", "RUNTIME": "host"}
    command = ["docker", "run", "--rm", "--user", f"{os.getuid()}:{os.getgid()}", "--workdir", str(clone)]
    for path in {str(folder), str(mirror), *(value for value in settings.values() if Path(value).is_absolute())}:
        command += ["--volume", f"{path}:{path}"] if Path(path).exists() else []
    command += [option for name in settings for option in ("--env", name)]
    known = {**environ(root), **settings}
    done = subprocess.run([*command, IMAGE, "sh", "-exc", SCRIPT], env=known, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return Demo(clone, done.stderr, done.stdout)


def releases(demo: Demo) -> dict[str, str]:
    """Return the id that git gives to what each release of the demo has of its dataset, by its tag."""
    repository = demo.clone / ".demo" / "repo"
    tags = git(repository, "tag", "--list").split()
    return {tag: git(repository, "rev-parse", f"{tag}:data/{tag.rpartition('-v')[0]}").strip() for tag in tags}


def objects(demo: Demo) -> set[str]:
    folder = demo.clone / ".demo" / "remote"
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.docker
@pytest.mark.extended
def test_releases_of_the_demo_are_the_same(debian: Demo, demo: Demo) -> None:
    assert debian.said.startswith("Python 3.13.")
    made, expected = releases(debian), releases(demo)
    assert len(made) >= 7 and made == {tag: tree for tag, tree in expected.items() if "embeddings" not in tag}
    assert objects(debian) and objects(debian) <= objects(demo)


@pytest.mark.docker
@pytest.mark.extended
def test_real_data_is_what_is_committed(debian: Demo) -> None:
    assert git(debian.clone, "status", "--porcelain") == ""


@pytest.mark.docker
@pytest.mark.extended
def test_what_needs_another_python_says_so_and_the_rest_works(debian: Demo) -> None:
    assert "error: chunk-embed: Python 3.11 not found; fix: install python3.11 " in debian.told
    assert "leaves the vector index out" in debian.told
