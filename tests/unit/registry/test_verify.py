"""Reading a release back, and building it again."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from unit.registry.releases_fixture import Registry, make_registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return make_registry(tmp_path / "clone")


def last(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.splitlines()[-1]


def test_release_that_is_whole_verifies(registry: Registry) -> None:
    done = registry.run("verify", "letters")
    assert (
        done.returncode == 0
        and done.stdout.startswith("letters-v1.0.0: ")
        and done.stdout.endswith(" on local, all as released\n")
    ), done.stderr
    assert done.stderr == ""
    for arguments, variables in (
        (["letters@1.0.0"], {}),
        (["letters", "--version", "1.0.0"], {}),
        ([], {"DS": "letters", "VERSION": "1.0.0"}),
    ):
        assert registry.run("verify", *arguments, **variables).stdout == done.stdout


def test_every_release_is_verified_whatever_came_after(registry: Registry) -> None:
    registry.release("letters", "1.1.0", seed=2)
    registry.git("switch", "-q", "-c", "other", "letters-v1.0.0")
    done = registry.run("verify", "--all")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        *("letters-v1.0.0", "letters-v1.1.0", "pictures-v1.0.0")
    ], done.stderr
    assert len(registry.run("verify", ALL="1", DS="letters").stdout.splitlines()) == 2
    assert "letters-v1.1.0" in registry.run("verify", "letters").stdout


def test_every_lost_and_damaged_object_is_named(registry: Registry) -> None:
    """Of files, lists and the files that lists name (V3)."""
    lost = registry.md5("pictures", "processed/train/images/003.jpg")
    rotten = registry.md5("pictures", "processed/train/images/line\nbreak.jpg")
    listed = registry.md5("pictures", "raw")
    registry.object(lost).unlink()
    registry.object(rotten).write_bytes(b"other")
    registry.object(listed).write_bytes(registry.object(listed).read_bytes()[:-1])
    done = registry.run("verify", "pictures")
    assert done.returncode == 42 and done.stdout == ""
    folder = "pictures-v1.0.0 data/pictures"
    fix = "fix: make repair DS=pictures VERSION=1.0.0"
    assert done.stderr.splitlines() == [
        f"{folder}/processed/train/images/003.jpg: object {lost} is missing on local",
        f"pictures-v1.0.0 'data/pictures/processed/train/images/line\\nbreak.jpg': object {rotten} is damaged on local",
        f"{folder}/raw: object {listed} is damaged on local",
        f"error: {folder}/processed/train/images/003.jpg: object {lost} is missing on local (3 in all); {fix}",
    ]


def test_tag_that_says_otherwise_is_found(registry: Registry) -> None:
    registry.release("letters", "1.1.0", seed=2, lightweight=True)
    done = registry.run("verify", "letters")
    assert done.returncode == 42 and last(done).startswith(
        "error: letters-v1.1.0: expected an annotated tag, got a lightweight one (1 in all); fix: "
    )
    zeros = f"logical-hash: {'0' * 64}\n"
    registry.release("letters", "1.2.0", seed=3, message=f"letters 1.2.0\n\n{zeros}")
    done = registry.run("verify", "letters")
    assert done.returncode == 42 and "(2 in all)" in last(done)
    assert f"logical-hash: expected {'0' * 64}, as tagged, got " in done.stderr
    assert "metadata-sha256: expected none, as tagged, got " in done.stderr


def test_bytes_that_are_not_utf8_are_no_obstacle(registry: Registry) -> None:
    (registry.root / "data/letters" / os.fsdecode(b"gr\xf6\xdfe.txt")).write_text("x")
    registry.release("letters", "1.1.0", seed=2)
    assert registry.run("verify", "letters").returncode == 0
    registry.release("letters", "1.2.0", seed=3, message=os.fsdecode(b"letters gr\xf6\xdfe"))
    done = registry.run("verify", "letters")
    assert done.returncode == 42 and "logical-hash: expected none, as tagged, got " in last(done)


def test_samples_that_metadata_does_not_tell_of_are_found(registry: Registry) -> None:
    folder = registry.root / "data/letters"
    registry.release("letters", "1.1.0", seed=2)
    lock = (folder / "dvc.lock").read_text()
    body = json.dumps({"logical_hash": "f" * 64}).encode()
    before = hashlib.md5((folder / "metadata.json").read_bytes()).hexdigest()
    (folder / "metadata.json").write_bytes(body)
    (folder / "dvc.lock").write_text(lock.replace(before, hashlib.md5(body).hexdigest()))
    message = f"x\n\nlogical-hash: {'f' * 64}\nmetadata-sha256: {hashlib.sha256(body).hexdigest()}\n"
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-a", "-m", "x")
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "tag", "-a", "-m", message, "letters-v2.0.0")
    done = registry.run("verify", "letters")
    assert done.returncode == 42
    assert last(done).startswith("error: letters-v2.0.0 data/letters/samples.parquet: expected the logical hash ")


def test_lock_that_was_cut_is_found(registry: Registry) -> None:
    """It is valid YAML still (V11)."""
    lock = registry.root / "data/letters/dvc.lock"
    text = lock.read_text()
    lock.write_text(text[: text.index("  stats:")])
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-a", "-m", "x")
    message = registry.git("tag", "-l", "--format=%(contents)", "letters-v1.0.0")
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "tag", "-a", "-m", message, "letters-v1.0.1")
    done = registry.run("verify", "letters")
    assert done.returncode == 42 and "data/letters/dvc.lock: stage stats not found (1 in all)" in last(done)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nothing"], "error: dataset: 'nothing' not found; fix: use one of: letters, pictures"),
        (["$(touch pwn)"], "error: dataset: '$(touch pwn)' not found; fix: use one of: letters, pictures"),
        (["letters@2.0.0"], "error: version: letters 2.0.0 not found; fix: use one of: 1.0.0, latest"),
        (["letters@v1"], "error: version: invalid version 'v1' of letters; fix: use one of: 1.0.0, latest"),
        (["letters", "--remote", "x"], "error: DVC_REMOTE: unknown remote 'x'; fix: use one of: local"),
        (["nothing", "--all"], "error: dataset: 'nothing' not found; fix: use one of: letters, pictures"),
    ],
)
def test_what_is_not_there_is_a_mistake_in_use(registry: Registry, arguments: list[str], line: str) -> None:
    done = registry.run("verify", *arguments)
    assert (done.returncode, last(done)) == (2, line)
    assert not (registry.root / "pwn").exists()


def test_release_built_again_is_the_same(registry: Registry) -> None:
    done = registry.run("verify", "pictures", REBUILD="1")
    assert done.returncode == 0 and "all as released; the rebuild is identical" in done.stdout, done.stderr
    assert list((registry.root / ".local" / "scratch").iterdir()) == []
    assert registry.git("status", "--porcelain") == ""


def test_release_that_no_build_gives_is_found(registry: Registry) -> None:
    """As where somebody has committed what no tool made."""
    lock = registry.root / "data/letters/dvc.lock"
    csv, raw = (registry.md5("letters", path) for path in ("processed/letters.csv", "raw/a.txt"))
    lock.write_text(lock.read_text().replace(csv, raw))
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-a", "-m", "x")
    message = registry.git("tag", "-l", "--format=%(contents)", "letters-v1.0.0")
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "tag", "-a", "-m", message, "letters-v1.0.1")
    assert registry.run("verify", "letters").returncode == 0
    done = registry.run("verify", "letters", "--rebuild")
    assert done.returncode == 42
    where = "letters-v1.0.1 data/letters/processed/letters.csv"
    assert last(done).startswith(f"error: {where}: the rebuild has {csv}, the release {raw} (1 in all); fix: ")


def test_build_that_fails_passes_its_code_on(registry: Registry) -> None:
    (registry.root / "tools/run").write_text("#!/bin/sh\necho 'error: x: y; fix: z' >&2\nexit 12\n")
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-a", "-m", "x")
    registry.release("letters", "1.1.0", seed=2)
    done = registry.run("verify", "letters", "--rebuild")
    assert done.returncode == 12
    assert last(done) == ("error: letters-v1.1.0: the rebuild failed with exit 12; fix: see its error line above")
