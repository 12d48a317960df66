"""The set: local sources, mirrors, reuse, replacement, and names (F12, F13, F15)."""

import hashlib
import logging
import os
import subprocess
import sys
import threading
import unicodedata
from pathlib import Path

import pytest
from fetcher.names import check_distinct, check_name
from fetcher.sources import read_sources
from hypothesis import given
from hypothesis import strategies as st
from stage.addresses import is_public, trusted_origins
from stage.errors import (
    ChecksumMismatch,
    InputMissing,
    PolicyViolation,
    SourceRefused,
    UsageError,
)
from unit.fetcher.scripted import Reply

GOOD, EVIL = b"what upstream sent " * 5000, b"something else now " * 5000
SHA = hashlib.sha256(GOOD).hexdigest()


def test_local_sources_beside_sources_csv(desk):
    (desk.folder / "sample").mkdir()
    (desk.folder / "sample" / "a b.csv").write_bytes(GOOD)
    absolute = (desk.folder / "sample" / "a b.csv").as_uri()
    desk.ask(("one.csv", "file:sample/a%20b.csv", GOOD), ("deep/two.csv", absolute, GOOD))
    assert desk.fetch().downloaded == 2
    assert desk.tree() == {"one.csv": GOOD, "deep/two.csv": GOOD}


@pytest.mark.parametrize(
    "url", ["file:../secret", "file:link", "file:///etc/passwd", "file://host/a", "file:", "file:%2e%2e/secret"]
)
def test_local_sources_elsewhere_are_refused(desk, url):
    """F15."""
    (desk.folder.parent / "secret").write_bytes(GOOD)
    (desk.folder / "link").symlink_to(desk.folder.parent / "secret")
    desk.ask(("a", url, GOOD))
    with pytest.raises(PolicyViolation):
        desk.fetch()


def test_local_source_that_is_no_file(desk):
    os.mkfifo(desk.folder / "pipe")
    desk.ask(("a", "file:pipe", GOOD))
    with pytest.raises(PolicyViolation, match="is not a regular file"):
        desk.fetch()
    desk.ask(("a", "file:nowhere", GOOD))
    with pytest.raises(SourceRefused, match="nowhere not found"):
        desk.fetch()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a",
        "data:x",
        "a.csv",
        "http://",
        "http://[::1",
        "https://ex ample.org/",
        "s3://bucket",
        "s3:///key",
        "https://ex\u00e4mple.org/",
        "http://x:99999/",
    ],
)
def test_other_addresses_are_refused_before_anything_is_fetched(desk, server, url):
    """F8."""
    desk.ask(("good", server.on("/a", Reply(GOOD)), GOOD), ("bad", url, GOOD))
    with pytest.raises(PolicyViolation, match=r"sources\.csv line 3"):
        desk.fetch()
    assert server.seen == []


@pytest.mark.parametrize("kind", ["folder", "prefix"])
def test_mirror_is_asked_first_and_checked_as_well(desk, server, other, caplog, kind):
    """F12."""
    mirror = desk.folder / "mirror"
    mirror.mkdir()
    held = {SHA: GOOD, hashlib.sha256(b"lied about").hexdigest(): b"lies here."}
    for name, content in held.items():
        (mirror / name).write_bytes(content)
        other.on(f"/m/{name}", Reply(content))
    prefix = str(mirror) if kind == "folder" else f"{other.url}/m/"
    desk.ask(
        ("held", server.on("/held", Reply(status=500)), GOOD),
        ("missing", server.on("/missing", Reply(EVIL)), EVIL),
        ("lied", server.on("/lied", Reply(b"lied about")), b"lied about"),
    )
    with caplog.at_level(logging.INFO):
        fetched = desk.fetch(mirror=prefix, trust=(server.origin,))
    assert (fetched.downloaded, fetched.from_mirror) == (3, 1)
    assert desk.tree() == {"held": GOOD, "missing": EVIL, "lied": b"lied about"}
    [warning] = [record.getMessage() for record in caplog.records]
    assert "checksum mismatch" in warning


def test_mirror_that_is_down_is_waited_for_once(desk, server, other, caplog):
    """F12."""
    for number in range(5):
        content = b"%d" % number * 9
        other.on(f"/{hashlib.sha256(content).hexdigest()}", Reply(status=503))
    desk.ask(*((f"{n}", server.on(f"/{n}", Reply(b"%d" % n * 9)), b"%d" % n * 9) for n in range(5)))
    assert desk.fetch(mirror=other.url, tries=2, jobs=1).downloaded == 5
    assert len(other.seen) == 2


def test_mirror_that_does_not_exist(desk, server):
    desk.ask(("a", server.on("/a", Reply(GOOD)), GOOD))
    with pytest.raises(InputMissing, match="correct or unset FETCH_MIRROR"):
        desk.fetch(mirror=str(desk.folder / "nowhere"))
    with pytest.raises(UsageError, match="unsupported URL scheme: ftp://x/"):
        desk.fetch(mirror="ftp://x/")


def identity(path):
    """Return what changes when a file is replaced or written to; reading it, which hashing does, changes none of it."""
    found = path.stat()
    return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def test_complete_output_is_left_alone(desk, server):
    desk.ask(("a", server.on("/a", Reply(GOOD)), GOOD))
    desk.fetch()
    before = identity(desk.out / "a")
    fetched = desk.fetch()
    assert (fetched.downloaded, fetched.reused, fetched.bytes) == (0, 1, len(GOOD))
    assert identity(desk.out / "a") == before
    assert len(server.seen) == 1


def test_damaged_output_is_mended(desk, server):
    desk.ask(("a", server.on("/a", Reply(GOOD)), GOOD), ("b", server.on("/b", Reply(EVIL)), EVIL))
    desk.fetch()
    (desk.out / "a").write_bytes(EVIL)
    (desk.out / "stray").touch()
    fetched = desk.fetch()
    assert (fetched.downloaded, fetched.reused) == (1, 1)
    assert desk.tree() == {"a": GOOD, "b": EVIL}


def test_changed_sources_bring_only_what_changed(desk, server):
    desk.ask(("a", server.on("/a", Reply(GOOD)), GOOD), ("d/b", server.on("/b", Reply(EVIL)), EVIL))
    desk.fetch()
    desk.ask(("a", server.on("/a", Reply(GOOD)), GOOD), ("d/c", server.on("/c", Reply(b"new")), b"new"))
    fetched = desk.fetch()
    assert (fetched.downloaded, fetched.reused) == (1, 1)
    assert desk.tree() == {"a": GOOD, "d/c": b"new"}


def test_staging_keeps_only_what_is_still_wanted(desk, server):
    desk.ask(("gone/a", server.on("/a", Reply(GOOD)), GOOD), ("b", server.on("/b", Reply(status=404)), GOOD))
    with pytest.raises(SourceRefused):
        desk.fetch()
    desk.ask(("b", server.on("/b", Reply(GOOD)), GOOD))
    desk.fetch()
    assert desk.tree() == {"b": GOOD}
    assert {path.name for path in desk.out.iterdir()} == {"b"}


def test_crash_between_swap_and_tidying_is_tidied(desk, server):
    """F14: the staging folder then holds the older set."""
    desk.ask(("a", server.on("/a", Reply(GOOD)), GOOD))
    desk.fetch()
    (desk.folder / ".raw.partial" / "files").mkdir(parents=True)
    (desk.folder / ".raw.partial" / "files" / "old").write_bytes(EVIL)
    assert desk.fetch().reused == 1
    assert desk.leftovers() == []


@pytest.mark.parametrize("link", ["", "files", "files/d", "parts"])
def test_link_in_staging_is_refused(desk, server, link):
    """F15: it could lead the files outside."""
    outside = desk.folder / "outside"
    outside.mkdir()
    path = desk.folder / ".raw.partial" / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(outside)
    desk.ask(("d/a", server.on("/a", Reply(GOOD)), GOOD))
    with pytest.raises(PolicyViolation, match="symbolic link"):
        desk.fetch()
    assert list(outside.iterdir()) == []


def test_output_that_is_no_folder(desk, server):
    desk.ask(("a", server.on("/a", Reply(GOOD)), GOOD))
    desk.out.write_text("mine")
    with pytest.raises(UsageError, match="not a folder"):
        desk.fetch()
    assert desk.out.read_text() == "mine"


def test_many_files_in_parallel(desk, server):
    wanted = {f"images/image_{number:06}.jpg": b"%06d" % number * (number + 1) for number in range(200)}
    desk.ask(*((name, server.on(f"/{name}", Reply(content)), content) for name, content in wanted.items()))
    assert desk.fetch().downloaded == 200
    assert desk.tree() == wanted


def test_large_file_of_odd_size(desk, server):
    content = os.urandom(1 << 20) * 5 + b"tail"
    for size in (1 << 20, (1 << 20) + 1, (4 << 20) - 1, len(content)):
        desk.ask((f"a{size}", server.on(f"/{size}", Reply(content[:size])), content[:size]))
        desk.fetch()
        assert desk.tree() == {f"a{size}": content[:size]}


def test_two_fetchers_download_once(desk, server):
    """F13: two processes; tests of the lock between threads would share a process."""
    desk.ask(("a", server.on("/a", Reply(GOOD[:200], pause=0.005)), GOOD[:200]))
    with desk.start() as first:
        while not server.seen:
            assert first.poll() is None
        second = desk.run()
        assert first.wait(30) == 0
    assert second.returncode == 0
    assert '"reused": 1' in second.stdout
    assert "waiting for another fetcher" in second.stderr
    assert len(server.seen) == 1
    assert desk.tree() == {"a": GOOD[:200]}


def test_disk_full_is_passed_on_and_ends_the_run(desk, server, monkeypatch):
    """F14: the sweep in tests/faults tries every call; this is the shortest way through."""
    desk.ask(*((f"{number}", server.on(f"/{number}", Reply(GOOD)), GOOD) for number in range(20)))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fetcher.writer.os.write", full)
    with pytest.raises(OSError, match="No space left"):
        desk.fetch()
    assert not [thread for thread in threading.enumerate() if thread.name == "sha256"]
    assert desk.tree() is None


EVIL_NAMES = [
    "../x",
    "/abs",
    "a/../b",
    "a//b",
    "a/",
    ".",
    "",
    "a\\b",
    "nul\0",
    "new\nline",
    "tab\t",
    "x" * 256,
    "é" * 128,
]
EVIL_NAMES += ["a/" * 600 + "b", "-rf", "d/-x", "\u202egpj.exe"]


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_name_that_leaves_the_output_is_refused(name):
    """F15."""
    with pytest.raises(PolicyViolation) as caught:
        check_name(name, "sources.csv line 2")
    assert "\0" not in str(caught.value)
    assert caught.value.code == 14


@pytest.mark.parametrize("name", ["a", "images/image_000001.jpg", ".github_README.md", "with space", "é" * 127, "…"])
def test_ordinary_name_is_taken(name):
    check_name(name, "sources.csv line 2")


@pytest.mark.parametrize(
    "pair", [("A", "a"), ("é", "e\u0301"), ("ß", "SS"), ("a", "a/b"), ("a/b", "a"), ("D/x", "d/y")]
)
def test_names_that_are_one_place_are_refused_together(pair):
    """F15."""
    with pytest.raises(PolicyViolation):
        check_distinct([(pair[0], "line 2"), (pair[1], "line 3")])


@given(st.lists(st.text(st.sampled_from("aAé\u0301./-\\\0 \n"), max_size=8), max_size=4, unique=True))
def test_names_that_pass_are_places_of_their_own_inside(tmp_path_factory, names):
    """F15."""
    try:
        for name in names:
            check_name(name, "here")
        check_distinct((name, "here") for name in names)
    except PolicyViolation:
        return
    folder = tmp_path_factory.mktemp("names")
    for name in names:
        path = folder / name
        assert path.resolve().is_relative_to(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(exist_ok=False)
    assert len({unicodedata.normalize("NFC", name).casefold() for name in names}) == len(names)


def test_public_addresses():
    """F8."""
    for ip in ("8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"):
        assert is_public(ip), ip
    private = "10.0.0.1 192.0.0.8 240.0.0.1 ::1 fe80::1%eth0 fc00::1 2002:7f00:1:: 64:ff9b:1::1 ::127.0.0.1 ff02::1 ::"
    for ip in private.split():
        assert not is_public(ip), ip


def test_trusted_places_are_read():
    assert trusted_origins(["Example.org:80", "[::1]:9000"]) == {"example.org:80", "::1:9000"}
    for wrong in ("example.org", ":80", "x:y", "http://x:80"):
        with pytest.raises(UsageError, match="invalid address"):
            trusted_origins([wrong])


def test_wrong_bytes_from_a_local_source(desk):
    (desk.folder / "a").write_bytes(EVIL)
    desk.ask(("a", "file:a", GOOD))
    with pytest.raises(ChecksumMismatch):
        desk.fetch()


MEASURE = """
import resource, sys, time
from pathlib import Path
from fetcher.sources import read_sources
count = len(read_sources(Path(sys.argv[1])))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, time.process_time())
"""


def written(path: Path, rows: int) -> Path:
    with path.open("w") as file:
        file.write("name,url,sha256,bytes\n")
        for number in range(rows):
            name = f"folder/{number:07}.txt"
            file.write(f"{name},https://example.org/data/{name},{number:064x},{number + 1}\n")
    return path


def test_many_rows_take_memory_and_time_as_they_are_many(tmp_path):
    used = {}
    for rows in (20_000, 200_000):
        command = [sys.executable, "-c", MEASURE, str(written(tmp_path / "sources.csv", rows))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        count, memory, seconds = map(float, done.stdout.split())
        assert count == rows
        used[rows] = memory, seconds
    assert used[200_000][0] - used[20_000][0] < 180_000 * 700
    assert used[200_000][1] < 15 * used[20_000][1]


@pytest.mark.slow
def test_more_files_than_memory_is_promised_for_are_refused(tmp_path):
    with pytest.raises(PolicyViolation, match="more than 1000000 files"):
        read_sources(written(tmp_path / "sources.csv", 1_000_001))


def test_a_line_without_an_end_is_refused(tmp_path):
    (tmp_path / "sources.csv").write_text("name,url,sha256,bytes\n" + "," * 10_000_000)
    with pytest.raises(UsageError, match=r"sources.csv line 2: line longer than 65535 characters"):
        read_sources(tmp_path / "sources.csv")


def test_a_name_with_a_url_in_every_row_is_refused(tmp_path):
    row = f"a,https://example.org/a,{'0' * 64},1\n"
    (tmp_path / "sources.csv").write_text("name,url,sha256,bytes\n" + row * 200_000)
    with pytest.raises(UsageError, match=r"sources.csv line 102: more than 100 URLs for a"):
        read_sources(tmp_path / "sources.csv")
