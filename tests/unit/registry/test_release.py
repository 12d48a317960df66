"""release: what it refuses, what it leaves behind, and that a tag never moves (faults V1, V4-V12)."""

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import git
from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.releases.versions import Version
from registry.build.scratch import is_scratch
from registry.release.bootstrap import bootstrap
from registry.release.release import release
from registry.transfer.remotes import pull, push
from unit.registry.release_world import V1, check_whole, dataset, hook, make, refused
from unit.registry.tiny import NAMES, ROWS, SCHEMA, another_clone, build, commit, make_registry, tags

MORE = (*ROWS, ("d", 4))
V2 = Version(1, 1, 0)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    make_registry(folder)
    return folder


@pytest.fixture
def world(template: Path, tmp_path: Path) -> Path:
    """A folder with an origin, a store and a clone."""
    return Path(shutil.copytree(template, tmp_path / "world", symlinks=True))


@pytest.fixture
def clone(world: Path) -> Path:
    return world / "clone"


def test_long_work_says_how_far_it_is(
    clone: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("data_registry.stage.progress.INTERVAL", 0.0)
    with caplog.at_level("INFO"):
        make(clone, "1.0.0")
        shutil.rmtree(clone / ".dvc" / "cache")
        pull(dataset(clone), clone, "local")
    for label in (
        "checking greetings",
        "sending greetings to local",
        "reading greetings-v1.0.0 back",
        "verifying greetings",
    ):
        assert f"{label}: 100 % of " in caplog.text
    assert "greetings: fetching missing objects from local" in caplog.text


def test_a_large_object_is_told_of_as_it_goes(
    clone: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("data_registry.stage.progress.INTERVAL", 0.0)
    monkeypatch.setattr("data_registry.store.folder.COPIED", 100)
    with caplog.at_level("INFO"):
        done = push(dataset(clone), clone, "local")
    shares = re.findall(r"sending greetings to local: (\d+) % of", caplog.text)
    assert len(shares) > done.moved and shares == sorted(shares, key=int) and shares[-1] == "100"


def test_a_release_is_tagged_and_whole_and_leaves_the_clone_clean(world: Path, clone: Path) -> None:
    done = make(clone, "1.0.0")
    assert dataclasses.asdict(done) | {"objects": 0, "sent": 0} == {
        "tag": "greetings-v1.0.0", "outcome": "released", "objects": 0, "sent": 0, "remote": "local",
    }  # fmt: skip
    assert done.sent == done.objects > 4
    check_whole(world)
    said = git(clone, "tag", "-n9", "--list", "greetings-v1.0.0")
    assert Release(Git(clone), "greetings", V1).logical_hash in said and "metadata-sha256: " in said
    assert git(clone, "status", "--porcelain") == ""
    assert tags(world / "origin.git").keys() == {"greetings-v1.0.0"}


def test_a_later_release_commits_the_datasets_files_alone(world: Path, clone: Path) -> None:
    make(clone, "1.0.0")
    build(clone, "greetings", MORE)
    build(clone, "numbers", ROWS)  # built again, and the same
    assert make(clone, "1.1.0").outcome == "released"
    assert git(clone, "show", "--name-only", "--format=", "HEAD").split() == [
        "data/greetings/README.md",
        "data/greetings/croissant.json",
        "data/greetings/dvc.lock",
        "data/greetings/metadata.json",
    ]
    assert git(clone, "log", "-1", "--format=%s").strip() == "greetings: release 1.1.0"
    assert git(clone, "status", "--porcelain") == "" and git(clone, "rev-parse", "HEAD") == git(
        clone, "rev-parse", "origin/main"
    )
    check_whole(world)
    check_whole(world, version=V2)


def test_a_release_brings_its_card_and_its_croissant(world: Path, clone: Path) -> None:
    folder = clone / "data" / "greetings"
    (folder / "README.md").write_text("---\nviewer: false\n---\n# Greetings\n")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "What people write")
    make(clone, "1.0.0")
    first = (folder / "README.md").read_text()
    assert first.endswith("viewer: false\n---\n# Greetings\n") and "num_examples: 3\n" in first
    build(clone, "greetings", MORE)
    (folder / "croissant.json").write_text("{}")  # somebody's idea: a release writes its own
    make(clone, "1.1.0")
    assert (folder / "README.md").read_text() == first.replace("num_examples: 3", "num_examples: 4").replace(
        "num_bytes: 22", "num_bytes: 26"
    )
    for version, count in ((V1, 3), (V2, 4)):
        found = Release(Git(clone), "greetings", version)
        assert json.loads(found.read("croissant.json"))["version"] == str(version)
        assert f"num_examples: {count}\n" in found.read("README.md").decode()
    assert git(clone, "status", "--porcelain") == ""


def test_a_card_that_cannot_be_read_stops_a_release_before_anything_is_sent(world: Path, clone: Path) -> None:
    params = clone / "data" / "greetings" / "params.yaml"
    build(clone, "greetings", ROWS)
    params.write_text(params.read_text() + "card: {task: x}\n")
    commit(clone, "greetings")
    refused(2, "card: unknown key task", lambda: make(clone, "1.0.0"))
    assert tags(world / "origin.git") == {} and not (world / "store").exists()


@pytest.mark.parametrize("killed", ["before", "after"])
def test_after_a_kill_around_the_card_the_clone_follows_all_the_same(killed: str, world: Path, clone: Path) -> None:
    """The card was written on before the release, which ended right after its push, and before its merge."""
    folder = clone / "data" / "greetings"
    (folder / "README.md").write_text("# Greetings\n")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "What people write")
    before = git(clone, "rev-parse", "HEAD").strip()
    (folder / "README.md").write_text("# Greetings\n\nMore of them.\n")
    make(clone, "1.0.0")
    assert (folder / "README.md").read_text().endswith("---\n\n# Greetings\n\nMore of them.\n")
    git(clone, "update-ref", "refs/heads/main", before)
    git(clone, "read-tree", before)
    (folder / "croissant.json").unlink()
    (folder / "README.md").write_text("# Greetings\n\nMore of them.\n" if killed == "before" else "# Greetings\n")
    assert make(clone, "1.0.0").outcome == "already released"
    assert git(clone, "status", "--porcelain") == "" and (folder / "croissant.json").exists()
    assert (folder / "README.md").read_text().endswith("---\n\n# Greetings\n\nMore of them.\n")


def test_again_it_is_released_already(world: Path, clone: Path) -> None:
    make(clone, "1.0.0")
    before = tags(world / "origin.git")
    assert make(clone, "1.0.0").outcome == "already released"
    git(clone, "tag", "-d", "greetings-v1.0.0")  # as after a kill between push and fetch
    assert make(clone, "1.0.0").outcome == "already released"
    assert tags(world / "origin.git") == before


def test_a_release_whose_objects_are_lost_is_completed(world: Path, clone: Path) -> None:
    make(clone, "1.0.0")
    first, second, *_ = sorted((world / "store").rglob("files/md5/*/*"))
    first.unlink()
    second.chmod(0o644)
    second.write_bytes(b"?" * second.stat().st_size)  # of the right size: push alone would not see it
    assert make(clone, "1.0.0").outcome == "completed"
    check_whole(world)


def test_another_remote_can_be_completed_too(world: Path, clone: Path) -> None:
    make(clone, "1.0.0")
    config = clone / ".dvc" / "config"
    config.write_text(config.read_text() + "['remote \"second\"']\n    url = ../../second\n    verify = true\n")
    git(clone, "commit", "-q", "-a", "-m", "A second remote")
    assert release(dataset(clone), clone, "second", "1.0.0").outcome == "completed"
    assert len(list((world / "second").rglob("files/md5/*/*"))) == len(list((world / "store").rglob("files/md5/*/*")))


def test_dry_run_says_what_and_does_nothing(world: Path, clone: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert make(clone, "1.0.0", dry_run=True).outcome == "planned"
    assert "tag greetings-v1.0.0, logical hash" in caplog.text
    assert tags(world / "origin.git") == {} and not (world / "store").exists()
    assert git(clone, "status", "--porcelain") == "" and not (clone / "data/greetings/croissant.json").exists()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("v1", "VERSION: invalid version 'v1'; fix: write three numbers, as 1.1.0"),
        ("1.0", "invalid version '1.0'"),
        ("01.0.0", "invalid version '01.0.0'"),
        ("1.0.0-rc1", "invalid version"),
        ("$(touch pwn)", "invalid version"),
        ("--upload-pack=x", "invalid version"),
        ("", "VERSION or BUMP: exactly one of them is needed"),
    ],
)
def test_versions_that_are_none_are_usage(clone: Path, version: str, message: str) -> None:
    refused(2, message, lambda: make(clone, version))
    assert not (clone / "pwn").exists()


def test_versions_go_up(clone: Path) -> None:
    make(clone, "1.1.0")
    build(clone, "greetings", MORE)
    refused(
        2,
        "VERSION: 1.0.9 is not above 1.1.0, the last release of greetings; fix: use 1.1.1",
        lambda: make(clone, "1.0.9"),
    )
    assert make(clone, "2.0.0").tag == "greetings-v2.0.0"


def test_nothing_changed_is_nothing_to_release(clone: Path) -> None:
    make(clone, "1.0.0")
    refused(40, "greetings: nothing has changed since 1.0.0", lambda: make(clone, "1.0.1"))


def test_the_same_samples_are_a_patch(clone: Path) -> None:
    make(clone, "1.0.0")
    build(clone, "greetings", ROWS, note="described better")
    refused(40, "greetings: same samples as 1.0.0 (logical hash ", lambda: make(clone, "1.1.0"))
    assert make(clone, "1.0.1").outcome == "released"


def test_an_automatic_version_goes_by_what_has_changed(clone: Path) -> None:
    assert make(clone, bump="auto").tag == "greetings-v1.0.0", "the first"
    refused(40, "greetings: nothing has changed since 1.0.0", lambda: make(clone, bump="auto"))
    build(clone, "greetings", ROWS, note="described better")
    assert make(clone, bump="auto").tag == "greetings-v1.0.1"
    build(clone, "greetings", MORE)
    assert make(clone, bump="auto").tag == "greetings-v1.1.0"
    build(clone, "greetings", MORE, schema=SCHEMA.set(1, pa.field("value", pa.int32())))
    assert make(clone, bump="auto").tag == "greetings-v2.0.0"
    build(clone, "greetings", ROWS)
    refused(40, "the schema has changed since 2.0.0", lambda: make(clone, bump="patch"))
    assert make(clone, bump="major").tag == "greetings-v3.0.0"
    refused(2, "VERSION or BUMP: exactly one of them", lambda: make(clone, "4.0.0", bump="major"))
    refused(2, "VERSION or BUMP: exactly one of them", lambda: make(clone, bump="huge"))


def test_a_version_with_other_content_is_never_released_again(world: Path, clone: Path) -> None:
    make(clone, "1.0.0")
    before = tags(world / "origin.git")
    build(clone, "greetings", MORE)
    said = refused(43, "greetings-v1.0.0: already released with another dvc.lock", lambda: make(clone, "1.0.0"))
    assert said.endswith("choose the next version: a tag never moves")
    assert tags(world / "origin.git") == before


def test_tags_that_are_only_here_elsewhere_other_or_lightweight(world: Path, clone: Path) -> None:
    git(clone, "tag", "-a", "-m", "mine", "greetings-v1.0.0")
    refused(43, "greetings-v1.0.0: exists in this clone, not on origin", lambda: make(clone, "1.0.0"))
    git(clone, "push", "-q", "origin", "greetings-v1.0.0")
    git(clone, "tag", "-d", "greetings-v1.0.0")
    git(clone, "tag", "-a", "-m", "another", "greetings-v1.0.0")
    refused(43, "a tag differs from the one on origin", lambda: make(clone, "1.0.0"))
    git(clone, "tag", "-d", "greetings-v1.0.0")
    git(clone, "tag", "numbers-v1.0.0")
    git(clone, "push", "-q", "origin", "numbers-v1.0.0")
    refused(43, "numbers-v1.0.0: is a lightweight tag", lambda: make(clone, "1.0.0", "numbers"))


def test_sample_data_is_refused(clone: Path) -> None:
    build(clone, "greetings", ROWS, sample=True)
    refused(40, "greetings: is synthetic sample data", lambda: make(clone, "1.0.0"))


@pytest.mark.parametrize(
    ("folder", "is_one"),
    [(".demo/repo", True), (".demo/sample/repo", True), (".demo/repo/.local/rebuilt/repo", False), ("repo", False)],
)
def test_but_for_that_in_a_scratch_copy(tmp_path: Path, folder: str, is_one: bool) -> None:
    assert is_scratch(tmp_path / folder) is is_one


def test_local_data_does_not_go_with_a_public_tag(clone: Path) -> None:
    git(clone, "remote", "set-url", "origin", "https://user:secret@git.example.org/data_registry.git")
    said = refused(40, "ENV=local: the data would stay on this machine", lambda: make(clone, "1.0.0"))
    assert said.endswith("fix: use ENV=docker or ENV=minikube") and "secret" not in said


def _write(clone: Path, path: str, text: str = "x") -> None:
    (clone / path).parent.mkdir(parents=True, exist_ok=True)
    (clone / path).write_text(text)


def _staged(clone: Path) -> None:
    _write(clone, "other")
    git(clone, "add", "other")


def _stale(clone: Path) -> None:
    _write(clone, "data/greetings/params.yaml", "dataset: {name: greetings, note: changed}\n")


def _cut_lock(clone: Path) -> None:
    _write(clone, "data/greetings/dvc.lock", "schema: '2.0'\nstages: {}\n")


def _other_bytes(clone: Path) -> None:
    """The manifest is exchanged, and DVC told that this is right."""
    shutil.copy(clone / "data/numbers/dvc.lock", clone / "data/greetings/dvc.lock")


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "changed file": (
        lambda c: _write(c, "tools/run"),
        "tools/run: uncommitted change outside this dataset; fix: commit",
    ),
    "staged file": (_staged, "other: uncommitted change outside this dataset"),
    "untracked file": (
        lambda c: _write(c, "notes.txt"),
        "notes.txt: uncommitted change outside this dataset; fix: commit it first, or git stash -u",
    ),
    "untracked output": (lambda c: _write(c, "data/greetings/big.bin"), "data/greetings/big.bin: untracked file"),
    "detached": (lambda c: git(c, "checkout", "-q", "--detach"), "HEAD is detached; fix: git switch main"),
    "no upstream": (lambda c: git(c, "branch", "--unset-upstream"), "branch main: has no upstream; fix: git push -u"),
    "other branch": (
        lambda c: git(c, "switch", "-q", "-c", "side") + git(c, "push", "-q", "-u", "origin", "side"),
        "branch side: releases go to main; fix: git switch main",
    ),
    "merge": (lambda c: _write(c, ".git/MERGE_HEAD", git(c, "rev-parse", "HEAD")), "a merge is not finished"),
    "rebase": (lambda c: (c / ".git/rebase-merge").mkdir(), "a rebase is not finished"),
    "no name": (
        lambda c: git(c, "config", "user.name", ""),
        "git: empty ident name (for <tester@localhost>) not allowed; fix: ",
    ),
    "shallow": (lambda c: _write(c, ".git/shallow", git(c, "rev-parse", "HEAD")), "is shallow; fix: git fetch --unsh"),
    "stale": (_stale, "greetings: stage make is out of date; fix: make dataset DS=greetings"),
    "cut lock": (_cut_lock, "stage make not found; fix: make dataset DS=greetings"),
    "never built": (lambda c: (c / "data/greetings/metadata.json").unlink(), "greetings: not built"),
    "other lock": (_other_bytes, "greetings: stage make is out of date"),
}


@pytest.mark.parametrize(("spoil", "message"), CASES.values(), ids=CASES.keys())
def test_what_is_in_the_way_is_named_and_nothing_is_sent(
    spoil: Callable[[Path], object], message: str, world: Path, clone: Path
) -> None:
    """Fault V8, V11."""
    spoil(clone)
    refused(40, message, lambda: make(clone, "1.0.0"))
    assert tags(world / "origin.git") == {} and not (world / "store").exists()


def test_a_file_that_is_not_what_metadata_says_is_noticed(clone: Path, world: Path) -> None:
    path = clone / "data/greetings/metadata.json"
    found = json.loads(path.read_text())
    found["files"]["processed/data.csv"]["sha256"] = "0" * 64
    path.write_text(json.dumps(found))
    commit(clone, "greetings")
    refused(11, "processed/data.csv: differs from metadata.json", lambda: make(clone, "1.0.0"))


def test_a_damaged_cache_is_not_pushed(clone: Path, world: Path) -> None:
    """Fault V4: DVC takes a read-only file for right, and pushes it."""
    cached = next(
        path for path in (clone / ".dvc/cache/files/md5").rglob("*") if path.is_file() and path.suffix != ".dir"
    )
    cached.chmod(0o644)
    cached.write_bytes(b"flipped")
    cached.chmod(0o444)
    refused(11, "damaged in the cache", lambda: make(clone, "1.0.0"))
    assert tags(world / "origin.git") == {}


def test_a_hook_that_refuses_leaves_neither_commit_nor_tag(world: Path, clone: Path) -> None:
    """Fault V6, V7."""
    make(clone, "1.0.0")
    build(clone, "greetings", MORE)
    before = git(world / "origin.git", "rev-parse", "main"), tags(world / "origin.git")
    hook(world / "origin.git", "pre-receive", "echo 'not on a Friday' >&2; exit 1")
    refused(40, "a hook or rule rejected it: not on a Friday", lambda: make(clone, "1.1.0"))
    assert (git(world / "origin.git", "rev-parse", "main"), tags(world / "origin.git")) == before
    (world / "origin.git" / "hooks" / "pre-receive").unlink()
    assert make(clone, "1.1.0").outcome == "released"


def test_the_pre_push_hook_of_the_clone_is_heard(clone: Path, world: Path) -> None:
    path = clone / ".git" / "hooks" / "pre-push"
    path.write_text("#!/bin/sh\necho 'tests first' >&2\nexit 1\n")
    path.chmod(0o755)
    refused(40, "tests first", lambda: make(clone, "1.0.0"))
    assert tags(world / "origin.git") == {}


def test_what_came_upstream_elsewhere_does_not_stop_a_release(world: Path, clone: Path) -> None:
    """Fault V7: the release is put on top of it, and the clone follows."""
    other = another_clone(world, "other")
    _write(other, "README.md", "news")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "News")
    git(other, "push", "-q")
    build(clone, "greetings", MORE)
    assert make(clone, "1.0.0").outcome == "released"
    assert (clone / "README.md").read_text() == "news" and git(clone, "status", "--porcelain") == ""
    check_whole(world)


@pytest.mark.parametrize("path", ["data/greetings/README.md", "tools/run", "data/images.yaml"])
def test_what_came_upstream_of_the_dataset_or_its_tools_does(path: str, world: Path, clone: Path) -> None:
    other = another_clone(world, "other")
    _write(other, path, "news")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "News")
    git(other, "push", "-q")
    refused(40, f"{path}: has changed on origin; fix: git pull --rebase", lambda: make(clone, "1.0.0"))
    assert tags(world / "origin.git") == {}


def test_branches_that_went_their_own_ways(world: Path, clone: Path) -> None:
    other = another_clone(world, "other")
    for folder, name in ((other, "a"), (clone, "b")):
        _write(folder, name)
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", name)
    git(other, "push", "-q")
    refused(40, "has diverged from origin; fix: git pull --rebase", lambda: make(clone, "1.0.0"))


def test_commits_of_ones_own_go_along(world: Path, clone: Path) -> None:
    _write(clone, "README.md", "mine")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "Mine")
    make(clone, "1.0.0")
    assert git(world / "origin.git", "show", "main:README.md") == "mine"


def test_a_remote_that_does_not_answer_is_a_push_that_failed(clone: Path, world: Path) -> None:
    shutil.move(world / "origin.git", world / "gone.git")
    refused(41, "git remote origin: ", lambda: make(clone, "1.0.0"))
    shutil.move(world / "gone.git", world / "origin.git")
    (world / "store").write_text("a file in the place of the store")
    refused(41, "remote local", lambda: make(clone, "1.0.0"))
    assert tags(world / "origin.git") == {}
    (world / "store").unlink()
    assert make(clone, "1.0.0").outcome == "released"


def test_bootstrap_releases_everything_once(world: Path, clone: Path) -> None:
    assert [done.tag for done in bootstrap(clone, "local")] == [f"{name}-v1.0.0" for name in NAMES]
    assert {done.outcome for done in bootstrap(clone, "local")} == {"already released"}
    build(clone, "numbers", MORE)
    make(clone, "1.1.0", "numbers")
    assert [done.tag for done in bootstrap(clone, "local")] == ["greetings-v1.0.0"], "what has gone on stays"
