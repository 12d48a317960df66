"""A damaged repository gives the right bytes or an error of ours: never other bytes, "absent", or a traceback."""

import random
from pathlib import Path

import pytest
from conftest import git
from data_registry.git import Git, Reading
from data_registry.stage.errors import StageError

PATH = "data/numbers/metadata.json"
CONTENT = b'{"logical_hash": "0"}\n' * 20


@pytest.fixture
def objects(tmp_path: Path) -> list[Path]:
    """The loose objects that lead from a tag to a file: tag, commit, trees, blob."""
    (tmp_path / PATH).parent.mkdir(parents=True)
    (tmp_path / PATH).write_bytes(CONTENT)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "x")
    git(tmp_path, "tag", "-a", "-m", "x", "numbers-v1.0.0")
    names = ("v", "v^{commit}", "v^{tree}", "v:data", "v:data/numbers", f"v:{PATH}")
    found = [git(tmp_path, "rev-parse", each.replace("v", "refs/tags/numbers-v1.0.0", 1)).strip() for each in names]
    paths = [tmp_path / ".git" / "objects" / each[:2] / each[2:] for each in found]
    for path in paths:
        path.chmod(0o644)
    return paths


def damaged(body: bytes, chance: random.Random) -> bytes:
    """Return an object's bytes as a failing disk, or somebody who wants to do harm, leaves them."""
    at = chance.randrange(len(body))
    match chance.randrange(5):
        case 0:
            return body[:at]
        case 1:
            return body[:at] + bytes([body[at] ^ 1 << chance.randrange(8)]) + body[at + 1 :]
        case 2:
            return body[:at] + chance.randbytes(chance.randrange(1, 9)) + body[at:]
        case 3:
            return bytes(len(body))
    return chance.randbytes(chance.randrange(200))


def check(root: Path, objects: list[Path], number: int, seed: int) -> None:
    chance = random.Random(seed)
    repository, failed = Git(root), 0
    for _ in range(number):
        path = chance.choice(objects)
        whole = path.read_bytes()
        path.write_bytes(damaged(whole, chance))
        try:
            assert repository.show("refs/tags/numbers-v1.0.0", PATH) == CONTENT
        except StageError as error:
            assert "\n" not in str(error)
            failed += 1
        path.write_bytes(whole)
    assert failed > number / 2
    assert repository.show("refs/tags/numbers-v1.0.0", PATH) == CONTENT


def test_files_of_damaged_objects(objects: list[Path], tmp_path: Path) -> None:
    check(tmp_path, objects, 1000, 1)


@pytest.mark.slow
def test_files_of_more_damaged_objects(objects: list[Path], tmp_path: Path) -> None:
    check(tmp_path, objects, 20_000, 2)


def test_one_process_that_meets_damaged_objects(objects: list[Path], tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(50):
        path = chance.choice(objects)
        whole = path.read_bytes()
        path.write_bytes(damaged(whole, chance))
        with Reading(tmp_path).opened() as reading:
            for name in (PATH, "none"):
                try:
                    assert reading.show("refs/tags/numbers-v1.0.0", name) == (CONTENT if name == PATH else None)
                except StageError as error:
                    assert "\n" not in str(error)
        path.write_bytes(whole)
