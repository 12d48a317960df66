"""Files in the storage next to sources.csv: those without a public address, and copies of what upstream has lost."""

import hashlib
from pathlib import Path

import pytest
from stage.errors import ChecksumMismatch, PolicyViolation, SourceRefused
from unit.fetcher.conftest import Desk, result
from unit.fetcher.scripted import Reply, Scripted

GOOD, EVIL = b"a file of ours " * 5000, b"another of ours" * 5000
SHA256 = hashlib.sha256(GOOD).hexdigest()
URL = f"registry:{SHA256}"


def store(desk: Desk, content: bytes = GOOD) -> Path:
    """Store a file under the name of GOOD."""
    path = desk.folder / ".sources" / SHA256
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def test_local_file_is_fetched_from_the_storage_and_stays_there(desk: Desk) -> None:
    path = store(desk)
    desk.ask(("sub/a.csv", URL, GOOD))
    assert desk.fetch().downloaded == 1
    assert desk.tree() == {"sub/a.csv": GOOD} and path.read_bytes() == GOOD
    path.unlink()
    assert desk.fetch().reused == 1


def test_local_file_that_is_not_here_says_how_to_get_it_and_no_path_of_this_machine(desk: Desk) -> None:
    desk.ask(("a.csv", URL, GOOD))
    process = desk.run()
    assert process.returncode == 13 and desk.tree() is None
    last = process.stderr.splitlines()[-1]
    assert last == (
        f"error: sources.csv line 2: a.csv: {URL} not found in .sources; "
        "fix: make dataset takes it from the DVC remote; make refresh FROM=... stores the file here again"
    )
    assert str(desk.folder) not in process.stderr


def test_damaged_local_file_is_refused(desk: Desk) -> None:
    store(desk, EVIL)
    desk.ask(("a.csv", URL, GOOD))
    with pytest.raises(ChecksumMismatch, match=f"checksum mismatch for {URL}"):
        desk.fetch()
    assert desk.tree() is None


@pytest.mark.parametrize("url", ["registry:", "registry:abc", "registry:../x", f"registry://{SHA256}", f"{URL}/x"])
def test_registry_url_is_a_hash_and_nothing_else(desk: Desk, url: str) -> None:
    desk.ask(("a.csv", url, GOOD))
    with pytest.raises(PolicyViolation, match="invalid registry URL"):
        desk.fetch()


def test_copy_replaces_sources_that_are_gone(desk: Desk, server: Scripted) -> None:
    desk.ask(("a.csv", server.on("/a", Reply(status=410)), GOOD))
    with pytest.raises(SourceRefused):
        desk.fetch()
    store(desk)
    assert result(desk.run()) == {
        "files": 1,
        "bytes": len(GOOD),
        "downloaded": 0,
        "reused": 1,
        "from_mirror": 0,
    }
    assert len(server.seen) == 1 and desk.tree() == {"a.csv": GOOD}


def test_damaged_copy_does_not_keep_a_source_from_being_used(desk: Desk, server: Scripted) -> None:
    store(desk, EVIL)
    desk.ask(("a.csv", server.on("/a", Reply(GOOD)), GOOD))
    assert desk.fetch().downloaded == 1
    assert desk.tree() == {"a.csv": GOOD}


def test_link_in_the_storage_leads_nowhere_else(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    store(desk).unlink()
    (desk.folder / ".sources" / SHA256).symlink_to(tmp_path / "folder")
    desk.ask(("a.csv", URL, GOOD))
    with pytest.raises(PolicyViolation, match="not a regular file"):
        desk.fetch()
