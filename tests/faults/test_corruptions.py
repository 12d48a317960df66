"""Bytes that rot on the remote: each is found and named, and each is mended (V3). How many DVC finds is printed."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from data_registry.store.verify import verify
from registry.repair.repair import repair
from unit.registry.releases_fixture import Registry, make_registry

KINDS = ("flip", "cut", "lose", "grow", "zero")
RELEASES = (("letters", "1.0.0"), ("letters", "1.1.0"), ("pictures", "1.0.0"))
DVC = Path(sys.executable).with_name("dvc")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    made = make_registry(tmp_path_factory.mktemp("rot") / "clone")
    made.release("letters", "1.1.0", seed=2)
    return made


def spoil(path: Path, kind: str, chance: random.Random) -> None:
    """Do to an object what disks, cut uploads and people do."""
    body = path.read_bytes()
    if kind == "lose":
        path.unlink()
        return
    at = chance.randrange(len(body))
    path.write_bytes(
        {
            "flip": body[:at] + bytes([body[at] ^ 1 << chance.randrange(8)]) + body[at + 1 :],
            "cut": body[:at],
            "grow": body + b"\0",
            "zero": bytes(len(body)),
        }[kind]
    )


def corrupted(registry: Registry, count: int) -> dict[str, int]:
    """Spoil one object after the other, verify and mend; return how many were found and mended of each sort."""
    chance = random.Random(0)
    places = [
        (name, version, md5, paths)
        for name, version in RELEASES
        for md5, paths in sorted(registry.objects(name, version).items())
    ]
    counts = dict.fromkeys(("spoilt", "named", "mended", "lists", *KINDS), 0)
    for _ in range(count):
        name, version, md5, paths = chance.choice(places)
        kind = chance.choice(KINDS)
        release, there = registry.of(name, version), registry.object(md5)
        good = there.read_bytes()
        spoil(there, kind, chance)
        counts["spoilt"] += 1
        counts[kind] += 1
        counts["lists"] += md5.endswith(".dir")
        problems = verify(release, registry.store)
        what = "missing" if kind == "lose" else "damaged"
        named = {f"{release.tag} {_shown(f'data/{name}/{path}')}: object {md5} is {what} on local" for path in paths}
        counts["named"] += {str(problem) for problem in problems} == named
        done = repair(release, registry.root, registry.store, build=False)
        assert {each.path for each in done.repaired} == paths and not done.left
        counts["mended"] += there.read_bytes() == good and verify(release, registry.store) == []
    return counts


def _shown(path: str) -> str:
    return path if path.isprintable() else repr(path)


def found_by_dvc(registry: Registry, count: int) -> int:
    """Return how many of as many corruptions ``dvc status -c`` of a clean clone sees, which has its data here."""
    chance = random.Random(0)
    name = "pictures"
    places = sorted(registry.objects(name))
    seen = 0
    for _ in range(count):
        there = registry.object(chance.choice(places))
        good = there.read_bytes()
        spoil(there, chance.choice(KINDS), chance)
        for folder in (registry.root / ".dvc/tmp", registry.root / ".site"):  # where DVC keeps what it once saw
            shutil.rmtree(folder, ignore_errors=True)
        known = {**os.environ, "DVC_SITE_CACHE_DIR": str(registry.root / ".site")}
        command = [str(DVC), "status", "-c", "-r", "local", f"data/{name}/dvc.yaml"]
        done = subprocess.run(command, cwd=registry.root, env=known, text=True, capture_output=True)
        seen += done.returncode != 0 or "in sync" not in done.stdout
        there.write_bytes(good)
    return seen


def test_every_corruption_is_named_and_mended(registry: Registry) -> None:
    counts = corrupted(registry, 30)
    assert counts["named"] == counts["mended"] == counts["spoilt"] == 30


@pytest.mark.slow
def test_thousand_corruptions_are_named_and_mended(registry: Registry) -> None:
    counts = corrupted(registry, 1_000)
    print(f"\nof {counts['spoilt']} corruptions {counts['named']} named, {counts['mended']} mended: {counts}")
    assert counts["named"] == counts["mended"] == counts["spoilt"] == 1_000
    assert all(counts[kind] for kind in (*KINDS, "lists"))


@pytest.mark.slow
def test_what_dvc_sees_of_them(registry: Registry) -> None:
    assert verify(registry.of("pictures"), registry.store) == []
    assert found_by_dvc(registry, 0) == 0
    seen = found_by_dvc(registry, 60)
    print(f"\nof 60 corruptions dvc status -c sees {seen}")


@pytest.mark.slow
@pytest.mark.parametrize("copies", ["cache", "tree", "build"])
def test_many_at_once_are_mended_from_wherever_a_copy_is(tmp_path: Path, copies: str) -> None:
    """All of a release's objects but some, lists and the files that they name together."""
    made = make_registry(tmp_path / "clone")
    chance = random.Random(copies)
    release, objects = made.of("pictures"), made.objects("pictures")
    md5_of = {path: md5 for md5, paths in objects.items() for path in paths}
    if copies != "cache":
        shutil.rmtree(made.root / ".dvc/cache")
    if copies == "build":
        for name in ("raw", "processed", "samples.parquet"):
            path = made.root / "data/pictures" / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for _ in range(5):
        spoilt = chance.sample(sorted(objects), len(objects) * 2 // 3)
        for md5 in spoilt:
            spoil(made.object(md5), chance.choice(KINDS), chance)
        done = repair(release, made.root, made.store)
        assert {md5_of[each.path] for each in done.repaired} == set(spoilt) and not done.left
        assert verify(release, made.store) == []
