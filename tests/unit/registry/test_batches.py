"""A failure of one item stops no other; the run ends with the gravest, and says how many there were."""

import errno
from pathlib import Path

import pytest
from catalog.cli import cli as catalog
from click.testing import CliRunner, Result
from conftest import git
from data_registry.stage.errors import (
    ChecksumMismatch,
    DiskFull,
    Incomplete,
    InputMissing,
    NetworkFailed,
    StageError,
    UsageError,
    VerificationFailed,
)
from registry.batches import Failures
from registry.cli import cli
from unit.registry.releases_fixture import make_registry as make_released
from unit.registry.tiny import make_registry


@pytest.mark.parametrize(
    ("kinds", "gravest"),
    [
        ([Incomplete, NetworkFailed, UsageError, VerificationFailed, ChecksumMismatch], VerificationFailed),
        ([NetworkFailed, InputMissing, UsageError], InputMissing),
        ([Incomplete, NetworkFailed], NetworkFailed),
    ],
)
def test_the_gravest_is_raised_with_the_number_of_all(kinds: list[type[StageError]], gravest: type[StageError]) -> None:
    failures = Failures()
    for number, kind in enumerate(kinds):
        with failures.collected(f"item {number}"):
            raise kind("place", "what", "fix")
    with pytest.raises(StageError) as error:
        failures.end()
    number = kinds.index(gravest)
    line = f"item {number}: place: what ({len(kinds)} in all); fix: fix"
    assert (error.value.code, str(error.value)) == (gravest.code, line)


def test_one_item_alone_raises_its_failure_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures()
    failures.end()
    error = UsageError("item", "what", "fix")
    with pytest.raises(UsageError) as raised, failures.collected():
        raise error
    assert raised.value is error and caplog.records == []


def test_one_failure_of_several_items_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures()
    with failures.collected("item"):
        raise UsageError("place", "what", "fix")
    with pytest.raises(StageError, match=r"^item: place: what \(1 in all\); fix: fix$"):
        failures.end()
    assert caplog.messages == ["item: place: what"]


@pytest.mark.parametrize(
    "error", [DiskFull("disk", "full", "x"), OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), ZeroDivisionError()]
)
def test_what_stops_all_ends_the_batch(error: BaseException) -> None:
    failures = Failures()
    with pytest.raises(type(error)), failures.collected("item"):
        raise error


def test_a_file_that_may_not_be_read_is_one_of_the_failures() -> None:
    failures = Failures()
    with failures.collected("item"):
        raise PermissionError(errno.EACCES, "denied", "/x")
    assert [str(error) for error in failures.errors] == [
        "item: /x: permission denied; fix: run as the owner of /, or change its mode"
    ]


def test_verify_goes_on_after_tags_that_are_no_release(tmp_path: Path) -> None:
    registry = make_released(tmp_path / "clone")
    git(registry.root, "tag", "aaa-v1.0.0", "HEAD")
    git(registry.root, "tag", "bbb-v1.0.0", "HEAD:.gitignore")
    git(registry.root, "tag", "-a", "-m", "x", "ccc-v1.0.0", "HEAD^{tree}")
    lost = registry.object(registry.md5("letters", "raw/a.txt"))
    lost.unlink()
    done = registry.run("verify", "--all")
    assert "pictures-v1.0.0: " in done.stdout and "all as released" in done.stdout
    lines = done.stderr.splitlines()
    assert done.returncode == 42 and "Traceback" not in done.stderr
    assert lines[-1].startswith("error: aaa-v1.0.0") and "(4 in all)" in lines[-1]
    for name in ("aaa-v1.0.0", "bbb-v1.0.0", "ccc-v1.0.0", "letters-v1.0.0 data/letters/raw/a.txt"):
        assert any(line.startswith(name) for line in lines), done.stderr


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    clone = make_registry(tmp_path)
    monkeypatch.setenv("REGISTRY_ROOT", str(clone))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return clone


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments])


def test_push_and_pull_of_all_go_on(clone: Path) -> None:
    for path in (clone / ".dvc" / "cache").rglob("*"):
        if path.is_file() and path.read_bytes().startswith(b"greetings a"):
            path.chmod(0o644)
            path.write_bytes(b"damaged")
    done = run("push", "all")
    assert done.exit_code == 11 and "numbers: " in done.stdout, done.output
    assert done.stderr.splitlines()[-1].startswith("error: data/greetings/folder/in/a.txt: damaged in the cache")
    done = run("pull", "all")
    assert done.exit_code not in {0, 1} and "numbers: " in done.stdout, done.output


def test_build_and_release_of_all_go_on(clone: Path) -> None:
    pipeline = clone / "data" / "greetings" / "dvc.yaml"
    pipeline.write_text(pipeline.read_text().replace('"true"', "exit 21"))
    done = run("dataset", "all")
    assert done.exit_code == 21 and "numbers" in done.stdout, done.output
    assert done.stderr.splitlines()[-1].startswith("error: greetings: ")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "x")
    git(clone, "push", "-q")
    done = run("bootstrap")
    assert done.exit_code == 21 and "numbers-v1.0.0: released" in done.stdout, done.output


def test_the_catalogue_goes_on_after_a_dataset_that_cannot_be_read(clone: Path) -> None:
    (clone / "data" / "greetings" / "params.yaml").write_text("[")
    done = CliRunner().invoke(catalog, ["build"])
    assert done.exit_code == 2 and " datasets, 0 releases" in done.stdout, done.output
    index = (clone / "site" / "index.html").read_text()
    assert "Incomplete: " in index and "greetings/params.yaml" in index and "numbers" in index
    done = run("cards")
    assert done.exit_code == 2 and "numbers: " in done.stdout, done.output
