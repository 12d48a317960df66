"""Raw files come from the cache or the remote where their sources have gone, checked against the pins."""

import hashlib
import shutil
import sys
from pathlib import Path

import pytest
from data_registry.git import Git
from data_registry.stage.errors import ChildFailed, InputMissing, NetworkFailed
from registry.build.copies import Copied, Copies, check_local_files, store_copies
from registry.build.local_files import STORAGE
from registry.build.source_list import Row, read_rows
from registry.datasets import Dataset
from registry.repair.rebuild import rebuilt
from unit.registry.releases_fixture import IDENTITY, Registry, make_registry

SOURCES = Path("data/letters/sources.csv")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A clone whose dataset `letters` has the files raw/a.txt and raw/b.txt, released as 1.0.0 with their pins."""
    registry = make_registry(tmp_path / "clone")
    rows = []
    for name in ("a.txt", "b.txt"):
        content = (registry.root / "data/letters/raw" / name).read_bytes()
        rows.append(f"{name},https://gone.invalid/{name},{hashlib.sha256(content).hexdigest()},{len(content)}\n")
    (registry.root / SOURCES).write_text("name,url,sha256,bytes\n" + "".join(rows))
    (registry.root / ".gitignore").write_text((registry.root / ".gitignore").read_text() + "/data/*/.sources/\n")
    registry.git("tag", "-d", "letters-v1.0.0")
    registry.release("letters", "1.0.0")
    return registry


def letters(registry: Registry) -> Dataset:
    return Dataset("letters", registry.root / "data" / "letters")


def rows(registry: Registry) -> list[Row]:
    return read_rows((registry.root / SOURCES).read_bytes())


def copy(registry: Registry, remote: str = "local", wanted: list[Row] | None = None) -> Copied:
    return store_copies(letters(registry), registry.root, remote, rows(registry) if wanted is None else wanted)


def stored(registry: Registry) -> set[str]:
    folder = registry.root / "data/letters" / STORAGE
    for path in folder.glob("*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    return {path.name for path in folder.glob("*")}


def without_cache(registry: Registry) -> None:
    shutil.rmtree(registry.root / ".dvc/cache")
    shutil.rmtree(registry.root / "data/letters/raw")


def test_cache_is_used_before_the_remote(registry: Registry) -> None:
    shutil.rmtree(registry.remote)
    copied = copy(registry)
    assert str(copied) == "a.txt, b.txt from the cache" and not copied.missing and copied.failure is None
    assert stored(registry) == {row.sha256 for row in rows(registry)}
    assert copy(registry).stored == {}, "they are there"


def test_remote_has_what_the_cache_lacks(registry: Registry) -> None:
    without_cache(registry)
    assert str(copy(registry)) == "a.txt, b.txt from local"
    assert stored(registry) == {row.sha256 for row in rows(registry)}


def test_without_a_remote_only_the_cache_is_asked(registry: Registry) -> None:
    without_cache(registry)
    copied = copy(registry, remote="")
    assert [row.name for row in copied.missing] == ["a.txt", "b.txt"] and stored(registry) == set()


def test_clone_that_has_only_git_and_the_remote(registry: Registry, tmp_path: Path) -> None:
    """dvc.lock at HEAD names them, whatever became of the one in the working tree."""
    registry.git("clone", "-q", str(registry.root), str(tmp_path / "other"))
    other = Registry(tmp_path / "other")
    (other.root / ".dvc/config.local").write_text(f"['remote \"local\"']\n    url = {registry.remote}\n")
    (other.root / "data/letters/dvc.lock").unlink()
    assert not copy(other).missing and len(stored(other)) == 2


def test_files_of_earlier_releases_are_found_under_other_names(registry: Registry) -> None:
    before = rows(registry)
    registry.release("letters", "2.0.0", seed=2)
    text = "name,url,sha256,bytes\n" + "".join(f"new/{row.name},{row.url},{row.sha256},{row.bytes}\n" for row in before)
    (registry.root / SOURCES).write_text(text)
    without_cache(registry)
    assert not copy(registry).missing and stored(registry) == {row.sha256 for row in before}


def test_other_bytes_than_the_pin_are_never_stored(registry: Registry) -> None:
    without_cache(registry)
    first, second = rows(registry)
    path = registry.object(registry.md5("letters", "raw/a.txt"))
    path.write_bytes(path.read_bytes()[::-1])
    assert [row.name for row in copy(registry).missing] == ["a.txt"]
    assert stored(registry) == {second.sha256}
    registry.object(registry.md5("letters", "raw/b.txt")).unlink()
    assert len(copy(registry, wanted=[first]).missing) == 1


def test_list_that_is_damaged_or_missing_gives_none(registry: Registry) -> None:
    without_cache(registry)
    path = registry.object(registry.md5("letters", "raw"))
    content = path.read_bytes()
    for damaged in (content[:-1], b"[]", b"", content.replace(b"a.txt", b"../a.txt")):
        path.write_bytes(damaged)
        assert len(copy(registry).missing) == 2
    path.unlink()
    assert len(copy(registry).missing) == 2 and stored(registry) == set()


def test_what_a_build_stored_is_removed_at_its_end(registry: Registry) -> None:
    own = registry.root / "data/letters" / STORAGE / ("0" * 64)
    own.parent.mkdir()
    own.write_bytes(b"stored by make new")
    with Copies(letters(registry), registry.root, "local") as copies:
        assert not copies.replace_sources(ChildFailed("letters", "stage fetcher", 11)), "the pin is wrong"
        assert copies.replace_sources(ChildFailed("letters", "stage fetcher", 12))
        assert len(list(own.parent.iterdir())) == 3
        assert not copies.replace_sources(ChildFailed("letters", "stage fetcher", 13)), "there is no more to be had"
    assert list(own.parent.iterdir()) == [own]


def test_files_that_were_fetched_are_left_out(registry: Registry) -> None:
    finished = registry.root / "data/letters/.raw.partial/files"
    finished.mkdir(parents=True)
    (finished / "a.txt").write_bytes(b"fetched")
    with Copies(letters(registry), registry.root, "local") as copies:
        assert copies.replace_sources(ChildFailed("letters", "stage fetcher", 12))
        assert stored(registry) == {rows(registry)[1].sha256}


def test_local_file_that_is_nowhere_names_place_and_cure(registry: Registry) -> None:
    row = Row("mine.csv", f"registry:{'1' * 64}", "1" * 64, 5)
    copied = copy(registry, wanted=[row])
    with pytest.raises(InputMissing) as caught:
        check_local_files(letters(registry), "local", copied)
    assert str(caught.value) == (
        "data/letters/sources.csv: mine.csv not in this clone, nor in the raw files on local; "
        "fix: make push DS=letters where it was built, or make refresh DS=letters FROM=<the files>"
    )
    check_local_files(letters(registry), "local", copy(registry, wanted=[Row("a", "https://a", "2" * 64, 5)]))


def test_remote_that_fails_is_named_for_a_local_file(registry: Registry) -> None:
    without_cache(registry)
    shutil.rmtree(registry.remote)
    registry.remote.parent.mkdir(exist_ok=True)
    (registry.root / ".dvc/config.local").write_text(
        "['remote \"local\"']\n    url = s3://bucket\n    endpointurl = http://127.0.0.1:9\n    connect_timeout = 1\n"
        "    access_key_id = a\n    secret_access_key = b\n"
    )
    row = Row("a.txt", f"registry:{rows(registry)[0].sha256}", rows(registry)[0].sha256, rows(registry)[0].bytes)
    copied = copy(registry, wanted=[row])
    with pytest.raises(NetworkFailed) as caught:
        check_local_files(letters(registry), "local", copied)
    assert "data/letters/sources.csv: a.txt not in this clone; remote local: " in str(caught.value)


OLDER = """\
#!{python}
import os, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from unit.registry.releases_fixture import build
mirror = os.environ.get("FETCH_MIRROR")
if not mirror or len(os.listdir(mirror)) != 2:
    sys.exit(12)
build(Path(__file__).resolve().parents[1], sys.argv[3])
"""


def test_release_with_older_tools_is_rebuilt_when_every_source_has_gone(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They know no storage, but take files from a mirror."""
    monkeypatch.delenv("FETCH_MIRROR", raising=False)
    tests = str(Path(__file__).resolve().parents[2])
    (registry.root / "tools/run").write_text(OLDER.format(python=sys.executable, tests=tests))
    registry.git("commit", "-q", "-a", "-m", "Tools that fetch", **IDENTITY)
    release = registry.release("letters", "1.1.0")
    shutil.rmtree(registry.root / ".dvc/cache")
    with rebuilt(release, registry.root, "local") as clone:
        assert (clone / "data/letters/raw/a.txt").is_file()
        assert Git(clone)("status", "--porcelain", "--", "data/letters/sources.csv") == ""
    with pytest.raises(ChildFailed) as caught, rebuilt(release, registry.root):
        pass
    assert caught.value.code == 12, "without a remote there is nothing to take them from"
