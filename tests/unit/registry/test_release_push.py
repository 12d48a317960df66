"""Where a release is pushed to, why it is rejected there, and that one that is published is never called failed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import git
from unit.registry.release_world import check_whole, hook, make, refused
from unit.registry.tiny import another_clone, make_registry, tags

TAG = "greetings-v1.0.0"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    make_registry(folder, ["greetings"])
    return folder


@pytest.fixture
def world(template: Path, tmp_path: Path) -> Path:
    """A folder with an origin, a store and a clone."""
    return Path(shutil.copytree(template, tmp_path / "world", symlinks=True))


@pytest.fixture
def clone(world: Path) -> Path:
    return world / "clone"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Write the user's own configuration of git."""
    path = tmp_path / "gitconfig"
    path.write_text("")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(path))
    return path.write_text


def head(repository: Path, branch: str = "main") -> str:
    return git(repository, "rev-parse", branch).strip()


def pushes(origin: Path) -> int:
    """Return how many pushes the origin has been sent, by what its pre-receive hook has counted."""
    path = origin / "pushes"
    return len(path.read_text().split()) if path.exists() else 0


def counted(origin: Path, text: str = "") -> None:
    hook(origin, "pre-receive", f"echo push >> '{origin}/pushes'\n{text}")


def work_tree_origin(world: Path) -> None:
    """Let the origin be somebody's clone, in which the branch is checked out."""
    git(world, "clone", "-q", "origin.git", "colleague")
    git(world / "clone", "remote", "set-url", "origin", "../colleague")
    counted(world / "colleague" / ".git")


REJECTIONS: dict[str, tuple[str, str, int, str]] = {
    "rule": ("pre-receive", "echo 'GH006: Protected branch update failed' >&2; exit 1", 40, "GH006: Protected branch"),
    "update hook": ("update", "echo 'not on a Friday' >&2; exit 1", 40, "a hook or rule rejected it: not on a Friday"),
    "words of a race": ("pre-receive", "echo 'error: ticket already exists' >&2; exit 1", 40, "ticket already exists"),
    "silent hook": ("pre-receive", "exit 1", 40, "a hook or rule rejected it: pre-receive hook declined"),
    "refs": (
        "reference-transaction",
        "test $1 != prepared || { echo 'disk quota' >&2; exit 1; }",
        40,
        "disk quota ref updates aborted by hook",
    ),
}


@pytest.mark.parametrize(
    ("name", "text", "code", "message"),
    [
        pytest.param(*case, id=name, marks=[] if name in {"words of a race", "refs"} else [pytest.mark.slow])
        for name, case in REJECTIONS.items()
    ],
)
def test_a_rejection_is_an_error_with_its_reason(
    name: str, text: str, code: int, message: str, world: Path, clone: Path
) -> None:
    origin = world / "origin.git"
    hook(origin, name, f"echo push >> '{origin}/pushes'\n{text}")
    said = refused(code, message, lambda: make(clone, "1.0.0"))
    assert tags(origin) == {} and "other pushes came first" not in said
    sent = (origin / "pushes").read_text().split()
    assert len(sent) <= 3, "one push: a hook runs for each ref, or state"


def test_an_origin_with_its_branch_checked_out_says_so(world: Path, clone: Path) -> None:
    work_tree_origin(world)
    said = refused(40, "branch is currently checked out", lambda: make(clone, "1.0.0"))
    assert "git config receive.denyCurrentBranch updateInstead" in said
    git(world / "colleague", "config", "receive.denyCurrentBranch", "updateInstead")
    assert make(clone, "1.0.0").outcome == "released"
    assert pushes(world / "colleague" / ".git") == 2, "the one that was rejected, and the one that went"
    check_whole(world, origin="colleague")


def test_an_origin_without_atomic_pushes_says_so(world: Path, clone: Path) -> None:
    git(world / "origin.git", "config", "receive.advertiseAtomic", "false")
    refused(40, "the receiving end does not support --atomic push", lambda: make(clone, "1.0.0"))
    assert tags(world / "origin.git") == {}


def test_a_shallow_origin_or_a_hidden_branch_says_so(world: Path, clone: Path) -> None:
    git(world / "origin.git", "config", "receive.hideRefs", "refs/tags")
    refused(40, "deny updating a hidden ref", lambda: make(clone, "1.0.0"))


def test_a_git_server_whose_disk_is_full_is_exit_50(world: Path, clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = world / "bin"
    programs.mkdir()
    receive = programs / "receive"
    receive.write_text('#!/bin/sh\nulimit -f 0\ntrap "" XFSZ\nexec git -c receive.unpackLimit=1 receive-pack "$@"\n')
    receive.chmod(0o755)
    git(clone, "config", "remote.origin.receivepack", str(receive))
    refused(50, "no space left on the git server: ", lambda: make(clone, "1.0.0"))
    assert tags(world / "origin.git") == {}


def test_a_lock_that_stays_is_named_after_the_last_try(world: Path, clone: Path) -> None:
    origin = world / "origin.git"
    (origin / "refs/heads/main.lock").touch()
    said = refused(41, "cannot lock ref", lambda: make(clone, "1.0.0"))
    assert "File exists" in said
    (origin / "refs/heads/main.lock").unlink()
    assert make(clone, "1.0.0").outcome == "released"


def test_a_push_that_arrives_and_then_breaks_is_a_release(world: Path, clone: Path) -> None:
    """The server takes it, and dies before it says so."""
    hook(world / "origin.git", "post-receive", "kill -9 $PPID")
    assert make(clone, "1.0.0").outcome == "released"
    (world / "origin.git/hooks/post-receive").unlink()
    check_whole(world)


def mirrored(world: Path) -> Path:
    """Let the clone fetch from a mirror of the origin, which never follows, and push to the origin."""
    git(world, "clone", "-q", "--mirror", "origin.git", "mirror.git")
    git(world / "clone", "remote", "set-url", "origin", "../mirror.git")
    git(world / "clone", "remote", "set-url", "--push", "origin", "../origin.git")
    return world / "mirror.git"


def test_a_release_is_looked_for_where_it_was_pushed(world: Path, clone: Path) -> None:
    mirror = mirrored(world)
    assert make(clone, "1.0.0").outcome == "released"
    check_whole(world)
    assert tags(mirror) == {} and head(clone) == head(world / "origin.git")
    assert make(clone, "1.0.0").outcome == "already released"


def test_what_came_to_the_origin_alone_is_under_the_release(world: Path, clone: Path) -> None:
    """The mirror lags: the base of the commit is the origin's branch."""
    mirrored(world)
    other = another_clone(world, "other")
    (other / "README.md").write_text("news")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "News")
    git(other, "push", "-q")
    counted(world / "origin.git")
    assert make(clone, "1.0.0").outcome == "released"
    assert pushes(world / "origin.git") == 1 and (clone / "README.md").read_text() == "news"


REWRITTEN = """\
[url "{world}/origin.git"]
    insteadOf = https://git.example.org/data_registry.git
[url "https://git.example.org/data_registry.git"]
    insteadOf = {world}/origin
    pushInsteadOf = {world}/origin.git
"""


@pytest.mark.parametrize("place", ["user", pytest.param("clone", marks=pytest.mark.slow)])
def test_an_address_is_rewritten_once(
    place: str, world: Path, clone: Path, settings: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that git makes of the origin's is one that a rule matches again."""
    text = REWRITTEN.format(world=world)
    if place == "user":
        settings(text)
    else:
        with (clone / ".git/config").open("a") as file:
            file.write(text)
    git(clone, "remote", "set-url", "origin", "https://git.example.org/data_registry.git")
    git(clone, "remote", "set-url", "--push", "origin", "https://git.example.org/data_registry.git")
    assert make(clone, "1.0.0").outcome == "released"
    assert make(clone, "1.0.0").outcome == "already released"
    settings("")
    check_whole(world)


def test_the_variables_of_git_config_count_too(world: Path, clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(clone, "remote", "set-url", "origin", "gone:registry")
    git(clone, "remote", "set-url", "--push", "origin", "here:registry")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{world}/origin.git.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "here:registry")
    assert make(clone, "1.0.0").outcome == "released"
    assert TAG in tags(world / "origin.git")


def test_every_push_url_has_the_release(world: Path, clone: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One is behind, and catches up; one does not answer, which is said, and does not take the release back."""
    git(world, "clone", "-q", "--bare", "origin.git", "second.git")
    git(world / "second.git", "update-ref", "refs/heads/main", head(clone))
    (clone / "notes").write_text("mine")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "Mine")
    git(clone, "push", "-q")
    for url in ("../origin.git", "../second.git", "../third.git"):
        git(clone, "remote", "set-url", "--push", "--add", "origin", url)
    assert make(clone, "1.0.0").outcome == "released"
    assert tags(world / "second.git") == tags(world / "origin.git") != {}
    assert f"{TAG} is released, but not on git remote origin (../third.git): " in caplog.text
    git(world, "clone", "-q", "--bare", "--single-branch", "--no-tags", "origin.git", "third.git")
    assert make(clone, "1.0.0").outcome == "already released"
    assert tags(world / "third.git") == tags(world / "origin.git")


USERS = """\
[safe]
    bareRepository = explicit
[merge]
    verifySignatures = true
    ff = false
[commit]
    gpgSign = true
[tag]
    gpgSign = true
[gpg]
    program = false
[fetch]
    prune = true
    pruneTags = true
[push]
    followTags = true
    recurseSubmodules = check
"""


def test_a_release_is_one_whatever_the_user_has_set(
    world: Path, clone: Path, settings: Callable[[str], object], caplog: pytest.LogCaptureFixture
) -> None:
    git(clone, "tag", "-a", "-m", "mine", "greetings-v-mine")
    git(clone, "tag", "-a", "-m", "mine", "other")
    settings(USERS)
    done = make(clone, "1.0.0")
    settings("")
    assert done.outcome == "released" and "is released;" not in caplog.text
    assert tags(world / "origin.git").keys() == {TAG}
    assert sorted(git(clone, "tag").split()) == ["greetings-v-mine", TAG, "other"], "what is the user's stays"
    assert head(clone) == head(world / "origin.git") and git(clone, "status", "--porcelain") == ""


def test_hooks_of_commits_do_not_run_and_that_of_pushes_does(world: Path, clone: Path) -> None:
    for name in ("pre-commit", "commit-msg", "prepare-commit-msg", "post-commit", "post-merge", "pre-merge-commit"):
        hook(clone / ".git", name, f"echo {name} >> '{world}/ran'\nexit 1")
    hook(clone / ".git", "pre-push", f"echo pre-push >> '{world}/ran'\ncat >/dev/null")
    assert make(clone, "1.0.0").outcome == "released"
    assert (world / "ran").read_text().split() == ["pre-push"]


def test_what_fails_after_the_push_says_that_the_release_is_published(
    world: Path, clone: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file of a colleague's commit would overwrite one that git ignores here."""
    other = another_clone(world, "other")
    (other / "theirs.txt").write_text("theirs")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "Theirs")
    git(other, "push", "-q")
    with (clone / ".git/info/exclude").open("a") as file:
        file.write("theirs.txt\n")
    (clone / "theirs.txt").write_text("mine")
    assert make(clone, "1.0.0").outcome == "released"
    assert f"{TAG} is released, this clone was not updated: " in caplog.text and "git pull" in caplog.text
    assert (clone / "theirs.txt").read_text() == "mine", "what is the user's stays"
    check_whole(world)


IDENTITIES = {
    "names and EMAIL": (False, {"GIT_AUTHOR_NAME": "A", "GIT_COMMITTER_NAME": "C", "EMAIL": "c@localhost"}, ""),
    "all variables": (
        True,
        {f"GIT_{who}_{what}": "x@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        "",
    ),
    "no committer": (
        True,
        {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@localhost"},
        "no email was given and auto-detection is disabled",
    ),
    "nothing": (True, {"EMAIL": ""}, "no email was given and auto-detection is disabled"),
    "an empty name": (
        False,
        {"GIT_AUTHOR_NAME": "", "GIT_COMMITTER_NAME": "", "EMAIL": "c@localhost"},
        "empty ident name (for <c@localhost>) not allowed",
    ),
}


@pytest.mark.parametrize(
    ("only_configured", "variables", "message"),
    [
        pytest.param(*case, id=name, marks=[] if name in {"names and EMAIL", "nothing"} else [pytest.mark.slow])
        for name, case in IDENTITIES.items()
    ],
)
def test_the_identity_is_what_git_says(
    only_configured: bool,
    variables: dict[str, str],
    message: str,
    clone: Path,
    world: Path,
    settings: Callable[[str], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings(f"[user]\n useConfigOnly = {str(only_configured).lower()}\n")
    for key in ("user.name", "user.email"):
        git(clone, "config", "--unset", key)
    for name in [name for name in os.environ if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER", "EMAIL"))]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if message:
        said = refused(40, message, lambda: make(clone, "1.0.0"))
        assert said.endswith("fix: git config user.name '...' and git config user.email '...'")
        assert not (world / "store").exists()
    else:
        assert make(clone, "1.0.0").outcome == "released"
