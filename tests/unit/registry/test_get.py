"""Getting a release's data: the right bytes or none, and nothing twice."""

import fcntl
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from data_registry.releases.release import Release
from data_registry.stage.errors import LockHeld, PolicyViolation, UsageError, VerificationFailed
from data_registry.store.get import get
from registry.cards.front_matter import END, START
from unit.registry.releases_fixture import ODD, Registry, make_registry

# A slow store that writes down what is read; killed while it gives out its bytes.
SLOW = """
import sys, time
from contextlib import contextmanager
from pathlib import Path
from data_registry.store.get import get
from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.store.folder import FolderStore
from data_registry.releases.versions import Version

class Slow(FolderStore):
    @contextmanager
    def read(self, md5, start=0):
        with super().read(md5, start) as blocks:
            body = b"".join(blocks)
        def pieces():
            for at in range(0, len(body), 100_000):
                piece = body[at : at + 100_000]
                with open(sys.argv[3], "ab", 0) as log:
                    log.write(b"%d\\n" % len(piece))
                yield piece
                time.sleep(float(sys.argv[4]))
        yield pieces()

get(Release(Git(Path(sys.argv[1])), "letters", Version(1, 0, 0)), Slow("local", Path(sys.argv[1]) / ".local/dvcstore"),
    Path(sys.argv[2]))
"""


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return make_registry(tmp_path / "clone")


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wanted(registry: Registry, name: str) -> dict[str, bytes]:
    """Return what a get of a release gives."""
    there = tree(registry.root / "data" / name)
    top = ("processed/", "samples.parquet", "metadata.json", "params.yaml")
    return {path: body for path, body in there.items() if path.startswith(top)}


def test_release_is_got_with_whatever_names(registry: Registry, tmp_path: Path) -> None:
    """Spaces, dashes, line ends, composed and decomposed accents, 255 bytes (V15)."""
    out = tmp_path / "some" / "where"
    done = registry.run("get", "pictures", "1.0.0", str(out))
    assert done.returncode == 0, done.stderr
    assert tree(out) == wanted(registry, "pictures")
    assert {f"processed/train/images/{name}" for name in ODD} < set(tree(out))
    assert " verified, 32 fetched\n" in done.stdout
    again = registry.run("get", DS="pictures", OUT=str(out))
    assert again.returncode == 0 and " verified, 0 fetched\n" in again.stdout
    assert tree(out) == wanted(registry, "pictures")


def test_raw_data_is_got_only_where_there_is_nothing_else(registry: Registry, tmp_path: Path) -> None:
    folder = registry.root / "data/letters"
    text = (folder / "dvc.lock").read_text()
    head, _, rest = text.partition("  - path: processed/letters.csv\n")
    (folder / "dvc.lock").write_text(head + rest[rest.index("  - path: samples.parquet") :])
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-a", "-m", "x")
    message = registry.git("tag", "-l", "--format=%(contents)", "letters-v1.0.0")
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "tag", "-a", "-m", message, "letters-v1.0.1")
    assert registry.run("get", "letters", "latest", str(tmp_path / "out")).returncode == 0
    assert sorted(tree(tmp_path / "out")) == [
        *("metadata.json", "params.yaml", "raw/a.txt", "raw/b.txt", "samples.parquet")
    ]


def test_card_and_croissant_come_along_where_the_release_has_them(registry: Registry, tmp_path: Path) -> None:
    texts = {"README.md": f"---\n{START}\n{END}\n---\n# Letters\n", "croissant.json": "{}"}
    for name, text in texts.items():
        (registry.root / "data/letters" / name).write_text(text)
    registry.release("letters", "1.1.0", seed=2)
    out = tmp_path / "out"
    assert registry.run("get", "letters", "1.1.0", str(out)).returncode == 0
    assert {name: (out / name).read_text() for name in texts} == texts
    assert registry.run("get", "letters", "1.1.0", str(out)).returncode == 0, "over its own"


@pytest.mark.parametrize(
    "name", ["params.yaml", "metadata.json", "samples.parquet", "README.md", "processed/letters.csv"]
)
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_what_is_the_users_is_not_replaced(registry: Registry, tmp_path: Path, name: str, kind: str) -> None:
    """Whatever stands in OUT under a name of the release, unless a get has written it."""
    (registry.root / "data/letters/README.md").write_text(f"---\n{START}\n{END}\n---\n# Letters\n")
    registry.release("letters", "1.1.0", seed=2)
    out, mine = tmp_path / "out", tmp_path / "mine"
    (out / name).parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    if kind == "folder":
        (out / name).mkdir()
    else:
        (out / name).symlink_to(mine) if kind == "link" else (out / name).write_bytes(b"mine")
    before = tree(out)
    for version in ("1.1.0", "latest"):
        refused = registry.run("get", "letters", version, str(out))
        assert refused.returncode == 2, refused.stderr
        assert refused.stderr.splitlines()[-1].startswith(f"error: {out / name}: "), refused.stderr
        assert "choose another OUT" in refused.stderr
    assert tree(out) == before and mine.read_bytes() == b"mine"


def test_one_version_is_got_over_another_and_over_a_killed_one(registry: Registry, tmp_path: Path) -> None:
    """What a former get wrote is known by its bytes, of whichever release; also where the repository is elsewhere."""
    registry.release("letters", "1.1.0", seed=2)
    new = wanted(registry, "letters")
    out = tmp_path / "out"
    for repo in ([], ["--repo", registry.root.as_uri()]):
        assert registry.run("get", "letters", "1.0.0", str(out), *repo).returncode == 0
        old = tree(out)
        assert all(old[path] != new[path] for path in ("metadata.json", "samples.parquet", "processed/letters.csv"))
        (out / "samples.parquet").write_bytes(new["samples.parquet"])  # as a run that was killed leaves it
        done = registry.run("get", "letters", "1.1.0", str(out), *repo)
        assert done.returncode == 0, done.stderr
        assert tree(out) == new


def test_one_version_of_a_folder_is_got_over_another(registry: Registry, tmp_path: Path) -> None:
    registry.release("pictures", "1.1.0", seed=2)
    for version in ("1.0.0", "1.1.0"):
        done = registry.run("get", "pictures", version, str(tmp_path / "out"))
        assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "out") == wanted(registry, "pictures")


@pytest.mark.parametrize("name", [".git/hooks/post-checkout", ".envrc", "processed/.git/config", ".GIT/config"])
@pytest.mark.parametrize("where", ["lock", "list"])
def test_hidden_names_are_refused(registry: Registry, tmp_path: Path, name: str, where: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["git", "init", "-q", str(out)], check=True)
    before = tree(out)
    release_with_name(registry, name, where)
    done = registry.run("get", "pictures", "1.0.1", str(out))
    assert done.returncode == 14 and name in done.stderr.splitlines()[-1], done.stderr
    assert tree(out) == before


def test_a_hidden_data_file_in_a_folder_is_got(registry: Registry, tmp_path: Path) -> None:
    """One of the READMEs is raw/.github_README.md."""
    release_with_name(registry, ".github_README.md", "list")
    done = registry.run("get", "pictures", "1.0.1", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "out").rglob(".github_README.md")]


def test_nothing_is_got_into_a_git_folder(registry: Registry, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "out")], check=True)
    done = registry.run("get", "letters", "1.0.0", str(tmp_path / "out" / ".git" / "data"))
    assert done.returncode == 2 and "is inside a .git folder" in done.stderr.splitlines()[-1], done.stderr
    assert not (tmp_path / "out" / ".git" / "data").exists()


def test_folder_that_is_a_git_repository_stays_one(registry: Registry, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "out")], check=True)
    before = tree(tmp_path / "out")
    assert registry.run("get", "letters", "1.0.0", str(tmp_path / "out")).returncode == 0
    assert tree(tmp_path / "out") == before | wanted(registry, "letters")


@pytest.mark.parametrize("link", ["hard", "soft"])
def test_half_of_a_file_is_not_written_through_a_link(registry: Registry, tmp_path: Path, link: str) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    part = tmp_path / "out" / "processed" / f".{registry.md5('letters', 'processed/letters.csv')}.part"
    part.parent.mkdir(parents=True)
    part.hardlink_to(mine) if link == "hard" else part.symlink_to(mine)
    assert got(registry, tmp_path / "out") == 2
    assert mine.read_bytes() == b"mine" and tree(tmp_path / "out") == wanted(registry, "letters")


def test_link_to_a_folder_of_the_user_is_not_written_through(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "out" / "mine").mkdir(parents=True)
    (tmp_path / "out" / "processed").symlink_to("mine")
    with pytest.raises(PolicyViolation, match="processed: is a symbolic link"):
        got(registry, tmp_path / "out")
    assert list((tmp_path / "out" / "mine").iterdir()) == []


def test_a_card_without_a_generated_part_is_got_over_its_own(registry: Registry, tmp_path: Path) -> None:
    (registry.root / "data/letters/README.md").write_text("# Letters\n")
    registry.release("letters", "1.1.0", seed=2)
    for _ in range(2):
        done = registry.run("get", "letters", "1.1.0", str(tmp_path / "out"))
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "README.md").read_text() == "# Letters\n"


def test_other_machine_needs_the_url_alone(registry: Registry, tmp_path: Path) -> None:
    """The tag's own config says where the data is; of the repository only the tag is fetched."""
    registry.release("letters", "1.1.0", seed=2)
    out = tmp_path / "out"
    nowhere = {"REGISTRY_ROOT": str(tmp_path)}
    for url in (str(registry.root), registry.root.as_uri()):
        done = registry.run("get", "letters", "latest", str(out), "--repo", url, **nowhere)
        assert done.returncode == 0 and done.stdout.startswith("letters-v1.1.0: "), done.stderr
    assert tree(out) == wanted(registry, "letters")
    done = registry.run("get", "letters", "1.0.0", str(tmp_path / "old"), DVC_REPO=str(registry.root), **nowhere)
    assert done.returncode == 0 and tree(tmp_path / "old") != tree(out)
    assert list(Path(os.environ.get("TMPDIR", "/tmp")).glob("registry-get-*")) == []


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["letters", "3.0.0", "--repo", "."], 2, "version: letters 3.0.0 not found; fix: use one of: 1.0.0"),
        (["other", "1.0.0", "--repo", "."], 2, "dataset: 'other' not found"),
        (["letters*", "1.0.0", "--repo", "."], 2, "dataset: 'letters*' not found"),
        (["letters", "1.0.0", "--repo", "/nowhere"], 12, "/nowhere: '/nowhere' does not appear to be a git repo"),
        (["letters", "1.0.0", "--repo", "--upload-pack=touch pwn"], 12, "--upload-pack=touch pwn: "),
        (["letters", "1.0.0", "--repo", "ext::sh -c touch% pwn"], 12, "ext::sh -c touch% pwn: transport 'ext' not all"),
        (
            ["letters", "1.0.0", "--repo", ".", "--remote", "x"],
            2,
            "DVC_REMOTE: unknown remote 'x'; fix: use one of: local",
        ),
        (["", "1.0.0"], 2, "DS: not set; fix: make get DS="),
        (["letters", "3.0.0"], 2, "version: letters 3.0.0 not found; fix: use one of: 1.0.0, latest"),
    ],
)
def test_what_is_not_there_is_one_line(
    registry: Registry, tmp_path: Path, arguments: list[str], code: int, line: str
) -> None:
    done = registry.run("get", *arguments[:2], str(tmp_path / "out"), *arguments[2:])
    assert done.returncode == code and done.stderr.splitlines()[-1].startswith(f"error: {line}"), done.stderr
    assert not (registry.root / "pwn").exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize(("damage", "what"), [("lose", "missing"), ("cut", "damaged"), ("flip", "damaged")])
@pytest.mark.parametrize("path", ["processed/train/images/003.jpg", "samples.parquet", "processed/train"])
def test_rotten_object_is_named_and_leaves_no_file(
    registry: Registry, tmp_path: Path, damage: str, what: str, path: str
) -> None:
    md5 = registry.md5("pictures", path)
    there = registry.object(md5)
    body = there.read_bytes()
    if damage == "lose":
        there.unlink()
    else:
        there.write_bytes(body[:-3] if damage == "cut" else bytes([body[0] ^ 4]) + body[1:])
    out = tmp_path / "out"
    done = registry.run("get", "pictures", "1.0.0", str(out))
    assert done.returncode == 42
    elsewhere = "DVC_REMOTE=… names another remote; or " * (what == "missing")
    assert done.stderr.splitlines()[-1] == (
        f"error: pictures-v1.0.0 data/pictures/{path}: object {md5} is {what} on local; "
        f"fix: {elsewhere}make repair, in a clone that can build it"
    )
    right = wanted(registry, "pictures")
    got = {name: body for name, body in tree(out).items() if not name.endswith(".part")} if out.exists() else {}
    assert path not in got and all(right[name] == body for name, body in got.items())
    there.write_bytes(body)
    assert registry.run("get", "pictures", "1.0.0", str(out)).returncode == 0
    assert tree(out) == right


def test_what_is_missing_is_fetched_and_the_rest_stays(registry: Registry, tmp_path: Path) -> None:
    out = tmp_path / "out"
    got(registry, out)
    right = tree(out)
    (out / "processed/letters.csv").unlink()
    (out / "metadata.json").unlink()
    kept = (out / "samples.parquet").stat().st_ino
    done = got(registry, out)
    assert tree(out) == right and done == 1
    assert (out / "samples.parquet").stat().st_ino == kept


def got(registry: Registry, out: Path, name: str = "letters") -> int:
    return get(registry.of(name), registry.store, out).fetched


def test_half_of_a_file_goes_on_and_a_wrong_half_starts_over(registry: Registry, tmp_path: Path) -> None:
    md5 = registry.md5("letters", "processed/letters.csv")
    body = registry.object(md5).read_bytes()
    for start in (body[:1000], body, b"", b"wrong", body + b"more"):
        out = tmp_path / f"out-{len(start)}"
        (out / "processed").mkdir(parents=True)
        (out / "processed" / f".{md5}.part").write_bytes(start)
        amounts: list[int] = []
        get(registry.of("letters"), registry.store, out, amounts.append)
        assert tree(out) == wanted(registry, "letters")
        assert sum(amounts) == len(body) + (out / "samples.parquet").stat().st_size


def test_left_parts_of_other_objects_are_removed(registry: Registry, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "processed").mkdir(parents=True)
    (out / "processed" / f".{'0' * 32}.part").write_bytes(b"of another version")
    got(registry, out)
    assert tree(out) == wanted(registry, "letters")


def test_data_of_another_version_is_not_mixed_in(registry: Registry, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "processed" / "train" / "images").mkdir(parents=True)
    (out / "processed" / "train" / "images" / "old.jpg").write_bytes(b"old")
    (out / "mine.txt").write_bytes(b"beside it is fine")
    with pytest.raises(UsageError, match=r"old\.jpg: not part of this release; fix: remove it, or choose another OUT"):
        got(registry, out, "pictures")
    (out / "processed" / "train" / "images" / "old.jpg").unlink()
    got(registry, out, "pictures")
    assert (out / "mine.txt").exists()


def test_two_at_once_do_not_write_into_each_other(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    descriptor = os.open(tmp_path / "out", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(LockHeld, match="another get is writing to this folder"):
            got(registry, tmp_path / "out")
    finally:
        os.close(descriptor)


def test_link_that_leads_out_is_not_followed(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "processed").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PolicyViolation, match="a symbolic link leads out of"):
        got(registry, tmp_path / "out")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["../../pwn", "/tmp/pwn", "a/../../pwn"])
@pytest.mark.parametrize("where", ["lock", "list"])
def test_release_that_names_files_elsewhere_is_refused(
    registry: Registry, tmp_path: Path, name: str, where: str
) -> None:
    """As somebody may make one who can push tags, and data."""
    release_with_name(registry, name, where)
    for command in (["get", "pictures", "1.0.1", str(tmp_path / "a/b/out")], ["verify", "pictures"]):
        done = registry.run(*command)
        assert done.returncode == 14 and f"invalid path {name!r}" in done.stderr.splitlines()[-1], done.stderr
    assert not list(tmp_path.rglob("pwn")) and not Path("/tmp/pwn").exists()


def release_with_name(registry: Registry, name: str, where: str) -> None:
    """Release pictures as 1.0.1 with a file of that name, in dvc.lock or in the list of a folder."""
    lock = registry.root / "data/pictures/dvc.lock"
    text = lock.read_text()
    if where == "lock":
        lock.write_text(text.replace("path: processed/train\n", f"path: {name}\n"))
    else:
        md5 = registry.md5("pictures", "processed/train")
        body = registry.object(md5).read_bytes().replace(b"images/003.jpg", name.encode())
        other = hashlib.md5(body).hexdigest() + ".dir"
        registry.object(other).parent.mkdir(exist_ok=True)
        registry.object(other).write_bytes(body)
        lock.write_text(text.replace(md5, other))
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-a", "-m", "x")
    message = registry.git("tag", "-l", "--format=%(contents)", "pictures-v1.0.0")
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "tag", "-a", "-m", message, "pictures-v1.0.1")


def test_name_of_a_file_and_a_folder_is_refused(registry: Registry, tmp_path: Path) -> None:
    lock = registry.root / "data/pictures/dvc.lock"
    lock.write_text(lock.read_text().replace("path: samples.parquet", "path: processed"))
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-a", "-m", "x")
    head = registry.git("rev-parse", "HEAD")
    release = Release(registry.git, "pictures", registry.of("pictures").version, commit=head)
    with pytest.raises(PolicyViolation, match="the same name is a file and a folder"):
        get(release, registry.store, tmp_path / "out")


def test_release_whose_tag_says_otherwise_is_refused(registry: Registry, tmp_path: Path) -> None:
    registry.release("letters", "1.1.0", seed=2, lightweight=True)
    with pytest.raises(VerificationFailed, match="got a lightweight one"):
        get(registry.of("letters", "1.1.0"), registry.store, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_full_disk_is_said_and_the_part_is_kept(registry: Registry, tmp_path: Path) -> None:
    md5 = bigger(registry, 3_000_000)
    out = tmp_path / "out"
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)); sys.argv[0] = 'registry';"
        "from registry.cli import cli; cli()"
    )
    known = {**os.environ, "REGISTRY_ROOT": str(registry.root)}
    command = [sys.executable, "-c", program, "get", "letters", "1.0.1", str(out)]
    done = subprocess.run(command, env=known, text=True, capture_output=True)
    assert done.returncode == 50 and done.stderr.splitlines()[-1].startswith("error: "), done.stderr
    assert (out / "processed" / f".{md5}.part").stat().st_size == 2_000_000
    again = registry.run("get", "letters", "1.0.1", str(out))
    assert again.returncode == 0 and hashlib.md5((out / "processed/letters.csv").read_bytes()).hexdigest() == md5


def bigger(registry: Registry, size: int) -> str:
    """Release letters again as 1.0.1, with a big file, and return its object."""
    old = registry.md5("letters", "processed/letters.csv")
    body = hashlib.shake_128(b"big").digest(size)
    md5 = hashlib.md5(body).hexdigest()
    registry.object(md5).parent.mkdir(exist_ok=True)
    registry.object(md5).write_bytes(body)
    lock = registry.root / "data/letters/dvc.lock"
    lock.write_text(re.sub(rf"md5: {old}\n(\s+)size: \d+", rf"md5: {md5}\n\1size: {size}", lock.read_text()))
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-a", "-m", "x")
    message = registry.git("tag", "-l", "--format=%(contents)", "letters-v1.0.0")
    registry.git("-c", "user.name=t", "-c", "user.email=t@t", "tag", "-a", "-m", message, "letters-v1.0.1")
    return md5


@pytest.mark.parametrize("at", [0.05, 0.3, 0.6, 0.9])
def test_killed_get_goes_on_where_it_stopped(registry: Registry, tmp_path: Path, at: float) -> None:
    """The store writes down what it gives: both runs together read little more than there is (V13)."""
    size = 4_000_000
    md5 = bigger(registry, size)
    out, log = tmp_path / "out", tmp_path / "log"
    program = SLOW.replace("Version(1, 0, 0)", "Version(1, 0, 1)")
    command = [sys.executable, "-c", program, str(registry.root), str(out), str(log)]
    with subprocess.Popen([*command, "0.05"], env={**os.environ}) as process:
        deadline = time.monotonic() + 60
        while given(log) < at * size and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    before = given(log)
    assert not (out / "processed/letters.csv").exists()
    subprocess.run([*command, "0"], check=True)
    assert hashlib.md5((out / "processed/letters.csv").read_bytes()).hexdigest() == md5
    assert given(log) <= size + (out / "samples.parquet").stat().st_size + 400_000
    assert before >= at * size
    assert not [path for path in tree(out) if path.endswith(".part")]


def given(log: Path) -> int:
    return sum(map(int, log.read_text().split())) if log.exists() else 0


def test_folder_that_cannot_be_is_one_line(registry: Registry) -> None:
    done = registry.run("get", "letters", "1.0.0", str(registry.root / "data/letters/params.yaml/x"))
    assert done.returncode == 2 and done.stderr.startswith("error: "), done.stderr
