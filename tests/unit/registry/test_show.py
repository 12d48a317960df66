"""What people are told of a version of a dataset, and of those that there are."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import git
from data_registry.clone import repository
from registry.cli import cli
from unit.registry.lineage_world import TRAIN, World, greetings, make_world, notes


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = make_world(tmp_path)
    monkeypatch.setenv("REGISTRY_ROOT", str(world.root))
    return world


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(cli, ["show", *arguments], env=environ)


def test_a_version_with_all_that_it_is_made_of(world: World) -> None:
    first = world.release("greetings", "1.0.0", greetings())
    second = world.release("greetings", "1.10.0", greetings(TRAIN[:2]))
    third = world.release("greetings", "1.9.0", greetings(TRAIN[:3]))
    world.release("greetings-more", "3.0.0", greetings())
    result = run("greetings", "1.0.0")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert max(map(len, lines)) <= 80
    today = git(world.root, "log", "-1", "--format=%cs").strip()
    expected = [
        "greetings 1.0.0",
        "  title     The greetings",
        "  licence   none",
        f"  identity  {first.logical_hash}",
        "  splits    train, 4 samples",
        "            val, 2 samples",
        "  columns   text: string",
        "  checks    none failed",
        "  sources   raw.txt, 7 bytes, sha256 abababababababab…",
        "  params    fetcher.jobs = 8",
        '            parquetizer.key = ["text"]',
        "  tools     data-registry/stats:src-0123456789ab",
        f"  versions  1.10.0, {today}, {second.logical_hash[:16]}…",
        f"            1.9.0, {today}, {third.logical_hash[:16]}…",
        f"            1.0.0, {today}, {first.logical_hash[:16]}…",
    ]
    assert [line for line in lines if line in expected] == expected
    shown = json.loads(run("greetings", "--json", VERSION="greetings-v1.9.0").output)
    assert [each["version"] for each in shown["versions"]] == ["1.10.0", "1.9.0", "1.0.0"]
    assert shown["version"] == "1.9.0" and shown["metadata"] == third.metadata


def test_the_working_copy_says_which_version_it_is(world: World) -> None:
    world.build("greetings", greetings())
    assert run("greetings").output.endswith(
        "  versions  none released\n  next      make release DS=greetings VERSION=1.0.0\n"
    )
    world.release("greetings", "1.0.0", greetings())
    assert "\n  state     same as 1.0.0\n" in run("greetings").output
    world.release("greetings", "1.1.0", greetings(TRAIN[:3]))
    world.build("greetings", greetings(TRAIN[:2]))
    result = run(DS="greetings").output
    assert result.startswith("greetings working copy\n")
    assert "\n  state     differs from 1.1.0: make diff DS=greetings A=1.1.0\n" in result


def test_a_sample_is_marked_and_odd_texts_are_harmless(world: World) -> None:
    about = {"title": "\x1b[31mred\r\n", "description": "x" * 100}
    world.build("notes", notes(), dataset=about, provenance={"sample": True}, splits={}, summary={"num_samples": 2})
    text = run("notes").output
    assert "  data      SYNTHETIC SAMPLE, not the real data\n" in text and "\n  splits    none, 2 samples\n" in text
    assert "\x1b" not in text and "\r" not in text and max(map(len, text.splitlines())) <= 80


def test_what_is_not_there_is_said(world: World) -> None:
    world.release("greetings", "1.0.0", greetings())
    assert run("greetings", "1.1.0").exit_code == run("nope").exit_code == run("").exit_code == 2
    assert "greetings 1.1.0 not found; fix: use one of: 1.0.0, latest" in run("greetings", "1.1.0").output
    (world.root / "data" / "greetings" / "metadata.json").unlink()
    result = run("greetings")
    assert result.exit_code == 10
    assert (
        result.output
        == "error: data/greetings: not built; fix: make dataset DS=greetings, or make show DS=greetings VERSION=1.0.0\n"
    )


@pytest.mark.parametrize("name", ["emotion", "wine-quality", "roco-radiology", "opencloudhub-readmes", "fashion-mnist"])
def test_every_dataset_here_is_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_ROOT", str(repository()))
    result = run(name)
    assert result.exit_code == 0 and max(map(len, result.output.splitlines())) <= 80
