"""fetcher resolve of plain URLs: pinned, compared, in declared order, and nothing kept."""

import pytest
from fetcher import PlainUrls
from stage.errors import ChecksumMismatch, EmptyInput, NetworkFailed, PolicyViolation, SourceRefused, UsageError
from unit.fetcher.scripted import Reply
from unit.fetcher.services import sha256

GOOD, EVIL = b"what upstream sent " * 5000, b"something else now " * 5000


def test_files_are_pinned_in_declared_order_and_fetched_by_what_was_written(desk, server):
    (desk.folder / "beside.txt").write_bytes(b"beside")
    first, second = server.on("/b", Reply(GOOD)), server.on("/mirror/b", Reply(GOOD, length=False))
    done = desk.resolve(PlainUrls({"b.bin": (first, second), "a.txt": ("file:beside.txt",)}))
    assert (done.files, done.bytes, done.added) == (2, 95006, ("b.bin", "a.txt"))
    assert desk.rows() == [
        ["b.bin", first, sha256(GOOD), "95000"],
        ["b.bin", second, sha256(GOOD), "95000"],
        ["a.txt", "file:beside.txt", sha256(b"beside"), "6"],
    ]
    assert sorted(path.name for path in desk.folder.iterdir()) == ["beside.txt", "sources.csv"]
    desk.fetch()
    assert desk.tree() == {"b.bin": GOOD, "a.txt": b"beside"}


def test_urls_that_disagree_are_both_named(desk, server):
    first, second = server.on("/a", Reply(GOOD)), server.on("/b", Reply(EVIL))
    with pytest.raises(ChecksumMismatch) as caught:
        desk.resolve(PlainUrls({"a": (first, second)}))
    assert str(caught.value) == (
        f"upstream.files.a: a: {first} and {second} differ: {sha256(GOOD)} (95000 bytes) and "
        f"{sha256(EVIL)} (95000 bytes); fix: use URLs of the same file, or remove the outdated one"
    )
    assert caught.value.code == 11
    assert not desk.sources.exists()


def test_nothing_changed_leaves_the_file_alone_however_it_is_written(desk, server):
    url = server.on("/a", Reply(GOOD))
    desk.resolve(PlainUrls({"a": (url,), "b": (url,)}))
    desk.sources.write_bytes(desk.sources.read_bytes().replace(b"\n", b"\r\n"))
    before, inode = desk.sources.read_bytes(), desk.sources.stat().st_ino
    done = desk.resolve(PlainUrls({"b": (url,), "a": (url,)}))
    assert (done.files, done.added, done.changed, done.removed) == (2, (), (), ())
    assert (desk.sources.read_bytes(), desk.sources.stat().st_ino) == (before, inode)


def test_what_was_added_changed_and_removed_is_told(desk, server):
    kept, moved = server.on("/kept", Reply(GOOD)), server.on("/moved", Reply(GOOD), Reply(EVIL))
    desk.resolve(PlainUrls({"kept": (kept,), "moved": (moved,), "gone": (kept,)}))
    done = desk.resolve(PlainUrls({"new": (kept,), "kept": (kept,), "moved": (moved,)}))
    assert (done.added, done.changed, done.removed) == (("new",), ("moved",), ("gone",))
    assert [row[0] for row in desk.rows()] == ["new", "kept", "moved"]


def test_one_failure_leaves_sources_as_they_were_and_names_all(desk, server):
    desk.ask(("a", server.url, GOOD))
    before = desk.sources.read_bytes()
    gone = server.url + "/gone"
    files: dict[str, tuple[str, ...]] = {"good": (server.on("/a", Reply(GOOD)),), "gone1": (gone,), "gone2": (gone,)}
    with pytest.raises(SourceRefused, match=r"2 of 3 files failed: gone1, gone2; upstream\.files\.gone1: .* returned"):
        desk.resolve(PlainUrls(files))
    assert desk.sources.read_bytes() == before
    assert desk.leftovers() == []


def test_broken_sources_are_told_before_anything_is_asked(desk, server):
    desk.sources.write_text("<<<<<<< HEAD\n")
    with pytest.raises(UsageError, match="line 1"):
        desk.resolve(PlainUrls({"a": (server.on("/a", Reply(GOOD)),)}))
    assert server.seen == []


def test_sources_without_rows_are_those_of_a_new_dataset(desk, server):
    desk.sources.write_text("name,url,sha256,bytes\n")
    assert desk.resolve(PlainUrls({"a": (server.on("/a", Reply(GOOD)),)})).added == ("a",)


def test_file_cut_short_is_read_again_and_never_pinned(desk, server):
    url = server.on("/a", Reply(GOOD, drop_at=40_000), Reply(GOOD))
    desk.resolve(PlainUrls({"a": (url,)}))
    assert desk.rows() == [["a", url, sha256(GOOD), "95000"]]
    server.on("/a", Reply(EVIL, drop_at=40_000))
    with pytest.raises(NetworkFailed, match=r"gave up after 2 attempts; fix: check the network and run again$"):
        desk.resolve(PlainUrls({"a": (url,)}), tries=2)
    assert desk.rows() == [["a", url, sha256(GOOD), "95000"]]


@pytest.mark.parametrize(
    ("name", "url", "error"),
    [
        ("a", "ftp://example.org/a", PolicyViolation),
        ("a", "http://169.254.169.254/latest", PolicyViolation),
        ("a", "file:../a", PolicyViolation),
        ("../a", "file:beside.txt", PolicyViolation),
        ("a", "file:missing", SourceRefused),
        ("a", "file:empty", EmptyInput),
    ],
)
def test_what_fetch_would_refuse_is_not_written(desk, name, url, error):
    (desk.folder / "beside.txt").write_bytes(b"beside")
    (desk.folder / "empty").touch()
    with pytest.raises(error):
        desk.resolve(PlainUrls({name: (url,)}))
    assert not desk.sources.exists()


def test_names_that_collide_are_refused(desk):
    (desk.folder / "a").write_bytes(b"a")
    with pytest.raises(PolicyViolation, match="collides"):
        desk.resolve(PlainUrls({"data.csv": ("file:a",), "Data.csv": ("file:a",)}))


def test_endless_file_is_not_read_to_its_end(desk, server):
    with pytest.raises(PolicyViolation, match="is larger than 1000 bytes"):
        desk.resolve(PlainUrls({"a": (server.on("/a", Reply(GOOD, length=False)),)}), max_bytes=1000)


def test_pointer_of_git_lfs_is_not_taken_for_the_file(desk, server):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n"
    for reply in (Reply(pointer), Reply(pointer, pause=0.001)):
        with pytest.raises(ChecksumMismatch, match="is a Git LFS pointer, not the file"):
            desk.resolve(PlainUrls({"a": (server.on("/a", reply),)}))
    assert not desk.sources.exists()
