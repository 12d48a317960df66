"""What is counted adds up: objects sent are some of those there are, and all bytes come to the size."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from data_registry.store.get import chosen_outputs, get
from data_registry.store.verify import size_of, verify
from registry.cli import cli
from unit.registry.release_world import make
from unit.registry.releases_fixture import Registry
from unit.registry.releases_fixture import make_registry as make_released
from unit.registry.tiny import ROWS, build, make_registry


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return make_released(tmp_path_factory.mktemp("released") / "clone")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    build(make_registry(folder, ["greetings"]), "greetings", ROWS)
    return folder


@pytest.fixture
def world(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "world", symlinks=True))


def objects(world: Path) -> list[Path]:
    return sorted((world / "store").rglob("files/md5/*/*"))


@pytest.mark.parametrize("lost", ["all", "both"])
def test_objects_sent_are_some_of_those_there_are(lost: str, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = world / "clone"
    done = make(clone, "1.0.0")
    there = objects(world)
    assert done.sent == done.objects == len(there)
    missing, spoilt = (there, []) if lost == "all" else (there[:2], there[2:4])
    for path in missing:
        path.unlink()
    for path in spoilt:
        path.chmod(0o644)
        path.write_bytes(b"?" * path.stat().st_size)  # of the right size
    again = make(clone, "1.0.0")
    assert (again.outcome, again.sent, again.objects) == ("completed", len(missing + spoilt), len(there))
    monkeypatch.setenv("REGISTRY_ROOT", str(clone))
    told = CliRunner().invoke(cli, ["release", "greetings", "--version", "1.0.0"])
    assert told.output == (
        f"greetings-v1.0.0: already released; {len(there)} of {len(there)} objects on local, 0 sent, all read back\n"
    )


def test_a_dry_run_does_not_say_that_anything_was_read_back(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_ROOT", str(world / "clone"))
    told = CliRunner().invoke(cli, ["release", "greetings", "--version", "1.0.0", "--dry-run"])
    assert told.output.endswith("greetings-v1.0.0: planned; 3 outputs to push to local, nothing done\n")
    assert "read back\n" not in told.output.splitlines(keepends=True)[-1]


def test_all_bytes_come_to_the_size_though_some_files_are_equal(released: Registry, tmp_path: Path) -> None:
    """One of the pictures is there twice, and one object in the store."""
    release = released.of("pictures")
    amounts: list[int] = []
    assert verify(release, released.store, amounts.append) == []
    assert sum(amounts) == size_of(release)
    wanted = sum(output.size for output in chosen_outputs(release))
    for state in ("empty", "cut", "whole"):
        amounts.clear()
        if state == "cut":
            file = tmp_path / "out/processed/train/annotations.json"
            part = file.with_name(f".{released.md5('pictures', 'processed/train/annotations.json')}.part")
            part.write_bytes(file.read_bytes()[:100])
            file.unlink()
        get(release, released.store, tmp_path / "out", amounts.append)
        assert sum(amounts) == wanted, state


def test_every_bar_of_the_registry_ends_full(
    world: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("data_registry.stage.progress.INTERVAL", 0.0)
    clone = world / "clone"
    shutil.copy(clone / "data/greetings/folder/in/a.txt", clone / "data/greetings/folder/in/again.txt")
    build(clone, "greetings", ROWS)
    with caplog.at_level("INFO"):
        make(clone, "1.0.0")
    last: dict[str, str] = {}
    for line in caplog.messages:
        label, _, share = line.rpartition(": ")
        if " % of " in share:
            last[label] = share
    assert len(last) >= 3 and all(share.startswith("100 % of ") for share in last.values()), last
