"""Good copies in the place of what the remote has lost or damaged."""

import shutil
from pathlib import Path

import pytest
from data_registry.store.verify import verify
from unit.registry.releases_fixture import Registry, make_registry

IMAGE = "processed/train/images/003.jpg"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return make_registry(tmp_path / "clone")


def spoil(registry: Registry, *paths: str) -> None:
    """Lose every other of some objects, and damage the others."""
    for number, path in enumerate(paths):
        there = registry.object(registry.md5("pictures", path))
        there.write_bytes(b"other") if number % 2 else there.unlink()


def mended(registry: Registry, *arguments: str) -> list[str]:
    done = registry.run("repair", "pictures", *arguments)
    assert done.returncode == 0, done.stderr
    assert verify(registry.of("pictures"), registry.store) == []
    return done.stdout.splitlines()


def forget_cache(registry: Registry) -> None:
    shutil.rmtree(registry.root / ".dvc/cache")


def forget_tree(registry: Registry) -> None:
    for name in ("raw", "processed", "samples.parquet"):
        path = registry.root / "data/pictures" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_whole_release_needs_no_repair(registry: Registry) -> None:
    assert mended(registry) == ["pictures-v1.0.0: 0 objects replaced on local, all as released"]


def test_copies_come_from_the_cache(registry: Registry) -> None:
    """A list that is lost names no file, so its files are looked at once it is back."""
    spoil(registry, IMAGE, "samples.parquet", "processed/train", "raw")
    forget_tree(registry)
    start = "pictures-v1.0.0: data/pictures"
    assert mended(registry) == [
        f"{start}/processed/train was missing: replaced from the cache",
        f"{start}/{IMAGE} was missing: replaced from the cache",
        f"{start}/raw was damaged: replaced from the cache",
        f"{start}/samples.parquet was damaged: replaced from the cache",
        "pictures-v1.0.0: 4 objects replaced on local, all as released",
    ]


def test_damaged_cache_is_not_passed_on(registry: Registry) -> None:
    """DVC takes a read-only file of its cache for right (V4)."""
    md5 = registry.md5("pictures", IMAGE)
    cached = registry.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    cached.chmod(0o644)
    cached.write_bytes(b"rotten")
    cached.chmod(0o444)
    spoil(registry, IMAGE)
    assert mended(registry)[0].endswith("was missing: replaced from the working tree")


def test_copies_come_from_the_working_tree(registry: Registry) -> None:
    """Lists too: they are written anew from the files."""
    spoil(registry, IMAGE, "samples.parquet", "processed/train/images/line\nbreak.jpg", "raw", "processed/train")
    forget_cache(registry)
    lines = mended(registry)
    assert len(lines) == 6 and all(line.endswith("replaced from the working tree") for line in lines[:-1])
    assert "'data/pictures/processed/train/images/line\\nbreak.jpg' was missing" in "\n".join(lines)


def test_copies_come_from_a_new_build(registry: Registry) -> None:
    spoil(registry, IMAGE, "samples.parquet", "processed/train")
    forget_cache(registry)
    forget_tree(registry)
    lines = mended(registry)
    assert len(lines) == 4 and all(line.endswith("replaced from a rebuild") for line in lines[:-1])


def test_empty_remote_is_filled_again(registry: Registry) -> None:
    count = sum(len(paths) for paths in registry.objects("pictures").values())
    shutil.rmtree(registry.remote)
    assert mended(registry)[-1] == f"pictures-v1.0.0: {count} objects replaced on local, all as released"


def test_old_release_is_mended_though_newer_data_is_here(registry: Registry) -> None:
    spoil(registry, IMAGE)
    forget_cache(registry)
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-m", "x")
    image = registry.root / "data/pictures" / IMAGE
    image.write_bytes(b"newer")
    assert mended(registry)[0].endswith(f"{IMAGE} was missing: replaced from a rebuild")
    assert image.read_bytes() == b"newer"


def test_what_nobody_has_is_named_and_the_rest_is_mended(registry: Registry) -> None:
    lost = registry.md5("pictures", IMAGE)
    spoil(registry, IMAGE, "samples.parquet")
    (registry.root / ".dvc/cache/files/md5" / lost[:2] / lost[2:]).unlink()
    forget_tree(registry)
    (registry.root / "tools/run").write_text("#!/bin/sh\necho 'error: raw: upstream is gone; fix: x' >&2\nexit 13\n")
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-a", "-m", "x")
    message = registry.git("tag", "-l", "--format=%(contents)", "pictures-v1.0.0")
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "tag", "-a", "-m", message, "pictures-v1.0.1")
    done = registry.run("repair", "pictures")
    assert done.returncode == 42
    assert "samples.parquet was damaged: replaced from the cache" in done.stdout
    lines = done.stderr.splitlines()
    assert "pictures-v1.0.1: the rebuild failed with exit 13" in lines
    assert lines[-1] == (
        f"error: pictures-v1.0.1 data/pictures/{IMAGE}: object {lost} is missing on local (1 in all); "
        "fix: make push where it was built, or put a copy of the object there by hand"
    )


def test_every_release_is_mended(registry: Registry) -> None:
    registry.release("pictures", "1.1.0", seed=2)
    shutil.rmtree(registry.remote)
    done = registry.run("repair", ALL="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("all as released") == 3
    assert len(registry.run("verify", "--all").stdout.splitlines()) == 3


def test_remote_that_takes_nothing_ends_in_one_line(registry: Registry) -> None:
    spoil(registry, IMAGE)
    shutil.rmtree(registry.remote)
    registry.remote.mkdir(parents=True)
    (registry.remote / "files").write_text("in the way")
    done = registry.run("repair", "pictures")
    assert done.returncode in {2, 41} and done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
