"""Build, release, read and look back in one world that has other people's git, S3 and shell settings at once."""

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.test_s3_worlds import HOSTILE
from worlds.git import TOGETHER, entered, hostile, victim
from worlds.s3 import Server, real_server
from worlds.s3 import make_world as make_s3_world
from worlds.shells import ALL, Shell
from worlds.test_shells import DATASET, make_world

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with real_server(tmp_path_factory.mktemp("s3")) as made:
        yield made


@pytest.fixture(scope="module")
def expected(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What is built in an ordinary shell."""
    world = make_world(root, tmp_path_factory.mktemp("plain"))
    world.good(Shell(), "dataset")
    return world.built()


def test_everything_at_once(root: Path, server: Server, expected: dict[str, bytes], tmp_path: Path) -> None:
    world = make_world(root, tmp_path / "world")
    there = make_s3_world(server, tmp_path / "home", **HOSTILE)
    there.write(world.clone / ".dvc")
    world.git("commit", "-q", "-a", "-m", "Where the data is")
    world.git("push", "-q")
    clone = entered(world.clone, *TOGETHER)
    settings = hostile(tmp_path / "git", *TOGETHER)
    theirs = victim(tmp_path / "git")
    variables = {**there.environ, "AWS_CONFIG_FILE": str(there.folder / ".aws" / "config"), "DVC_REMOTE": "there"}
    variables |= {"AWS_EC2_METADATA_DISABLED": "true", **settings}
    world, shell = dataclasses.replace(world, clone=clone), ALL | Shell(variables)

    world.good(shell, "dataset")
    assert world.built() == expected
    assert f"{DATASET}-v1.0.0: released" in world.good(shell, "release", "VERSION=1.0.0")
    assert f"{DATASET}-v1.0.0: already released" in world.good(shell, "release", "VERSION=1.0.0")
    assert list(server.client.list_objects(bucket_name=there.bucket, recursive=True))
    assert "all as released" in world.good(shell, "verify", "ALL=1")
    out = tmp_path / "out"
    world.good(shell, "get", "VERSION=1.0.0", f"OUT={out}")
    assert (out / "processed" / "wine-quality.csv").read_bytes() == expected["processed/wine-quality.csv"]
    assert "versions  1.0.0" in world.good(shell, "show")
    assert "nothing differs" in world.good(shell, "diff", "A=1.0.0")
    row = json.dumps(dict(_first_row(out / "processed" / "wine-quality.csv")))
    found = world.good(shell, "whohas", f"SAMPLE=row:{row}")
    assert f"{DATASET}-v1.0.0" in found and "not found" not in found
    assert "1 releases" in world.good(shell, "catalog")
    assert victim(tmp_path / "git") == theirs, "the repository that a hook's variables name stays as it is"
    shutil.rmtree(clone / "data" / DATASET / "processed")
    shutil.rmtree(clone / ".dvc" / "cache")
    world.good(shell, "pull")
    assert world.built() == expected


def _first_row(path: Path) -> Iterator[tuple[str, float]]:
    names, values = path.read_text().splitlines()[:2]
    for name, value in zip(names.split(","), values.split(","), strict=True):
        yield name, int(value) if name in {"quality", "wine_type"} else float(value)
