"""Releases whose documents somebody else wrote, or that were damaged: one error line that names tag and file."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import git
from registry.cli import cli
from unit.registry.lineage_world import World, greetings, make_world

OUT = {"path": "samples.parquet", "hash": "md5", "md5": "0" * 32, "size": 1}
LOCKS: dict[str, Any] = {
    "a list": [],
    "a text": "stages",
    "a list of stages": {"stages": [{"outs": [OUT]}]},
    "a stage that is null": {"stages": {"make": None}},
    "outs by name": {"stages": {"make": {"outs": {"samples.parquet": OUT}}}},
    "no md5": {"stages": {"make": {"outs": [{"path": "samples.parquet", "size": 1}]}}},
    "md5 an integer": {"stages": {"make": {"outs": [{**OUT, "md5": 12}]}}},
    "md5 a path": {"stages": {"make": {"outs": [{**OUT, "md5": "../../../etc/passwd"}]}}},
    "path a list": {"stages": {"make": {"outs": [{**OUT, "path": ["samples.parquet"]}]}}},
    "size a text": {"stages": {"make": {"outs": [{**OUT, "size": "1"}]}}},
    "size below zero": {"stages": {"make": {"outs": [{**OUT, "size": -1}]}}},
    "size true": {"stages": {"make": {"outs": [{**OUT, "size": True}]}}},
}
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in itertools.pairwise("abcdefghi")
)
LOCK_TEXTS = {
    "deep": "[" * 100_000,
    "deep blocks": "- " * 50_000,
    "a half of a character": 'stages: {"\\ud800": {outs: []}}',
    "its own value": "stages: &a {make: *a}",
    "laughs": LAUGHS,
    "cut": "stages:\n  make:\n    outs:\n    - {path: x, md5: ",
    "bytes": "stages: !!binary gA==",
    "zeros": "\0" * 100,
    **{name: json.dumps(value) for name, value in LOCKS.items()},
}
SCHEMA = {"features": {"text": {"dtype": "string"}}}
METADATA: dict[str, Any] = {
    "a list": [],
    "null": None,
    "no hash": {"logical_hash": None},
    "hash an integer": {"logical_hash": 12},
    "dataset a list": {"dataset": ["x"]},
    "title an integer": {"dataset": {"title": 1}},
    "columns a list": {"schema": {"features": [1]}},
    "no dtype": {"schema": {"features": {"text": {}}}},
    "dtype an integer": {"schema": {"features": {"text": {"dtype": 1}}}},
    "target a text": {"schema": {**SCHEMA, "target": "text"}},
    "splits a list": {"splits": ["train"]},
    "a split that is null": {"splits": {"train": None}},
    "samples a text": {"splits": {"train": {"num_samples": "4"}}},
    "sources by name": {"provenance": {"sources": {"a": 1}}},
    "a source without a hash": {"provenance": {"sources": [{"name": "raw.txt"}]}},
    "parents a text": {"provenance": {"parents": "a-v1.0.0"}},
    "tools a list": {"provenance": {"tools": ["a"]}},
    "files a list": {"files": ["a"]},
    "a file that is a text": {"files": {"a": "b"}},
    "checks a list": {"checks": []},
    "warnings a text": {"checks": {"warnings": "x"}},
    "prompt a text": {"prompt": "x"},
}
METADATA_TEXTS = {
    "deep": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "a half of a character": '{"logical_hash": "\\ud800"}',
    "not a number": '{"logical_hash": NaN}',
    "a number of 10 000 digits": '{"size": ' + "9" * 10_000 + "}",
    "endless": '{"size": 1e999}',
    "cut": '{"logical_hash": "ab',
    "a half of a character in bytes": b'{"logical_hash": "\xed\xa0\x80"}',
    "not UTF-8": b'{"logical_hash": "\xff"}',
    "empty": "",
}


def damaged(world: World, name: str, content: str | bytes) -> str:
    """Release greetings with a document of other content, and return the version."""
    version = f"1.{len(git(world.root, 'tag').split())}.0"
    path = world.root / "data" / "greetings" / name
    before = path.read_bytes()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    git(world.root, "commit", "-q", "-a", "-m", "damaged")
    git(world.root, "tag", "-a", "-m", f"logical-hash: {'0' * 64}", f"greetings-v{version}")
    path.write_bytes(before)
    return version


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), env=environ)


def refused(result: Result, code: int, *parts: str) -> None:
    """Check that a command ended with a code, and one line that has the parts."""
    assert result.exit_code == code, (result.output, result.exception)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and "; fix: " in last and len(last) < 4000 and last.isprintable()
    assert all(part in last for part in parts), last


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = make_world(tmp_path_factory.mktemp("world"))
    world.release("greetings", "1.0.0", greetings())
    return world


@pytest.fixture
def world(shared: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("REGISTRY_ROOT", str(shared.root))
    return shared


@pytest.mark.parametrize("content", LOCK_TEXTS.values(), ids=LOCK_TEXTS.keys())
def test_a_lock_that_is_not_one(world: World, tmp_path: Path, content: str) -> None:
    version = damaged(world, "dvc.lock", content)
    of_release = (f"greetings-v{version}", "dvc.lock")
    refused(run("get", "greetings", version, str(tmp_path / "out")), 42, *of_release)
    refused(run("verify", "greetings", VERSION=version), 42, *of_release)
    refused(run("diff", "greetings", "1.0.0", version), 42, *of_release)


@pytest.mark.parametrize("value", METADATA.values(), ids=METADATA.keys())
def test_metadata_of_another_shape(world: World, tmp_path: Path, value: Any) -> None:
    known = json.loads((world.root / "data" / "greetings" / "metadata.json").read_text())
    wrong_metadata(world, tmp_path, json.dumps({**known, **value} if isinstance(value, dict) else value))


@pytest.mark.parametrize("content", METADATA_TEXTS.values(), ids=METADATA_TEXTS.keys())
def test_metadata_that_is_not_json(world: World, tmp_path: Path, content: str | bytes) -> None:
    wrong_metadata(world, tmp_path, content)


def wrong_metadata(world: World, folder: Path, content: str | bytes) -> None:
    version = damaged(world, "metadata.json", content)
    of_release = (f"greetings-v{version}", "metadata.json")
    refused(run("get", "greetings", version, str(folder / "out")), 42, *of_release)
    refused(run("verify", "greetings", VERSION=version), 42, *of_release)
    refused(run("show", "greetings", version), 42, *of_release)


@pytest.mark.parametrize("content", ["[]", "stages: []", "stages: {make: 1}", "[" * 100_000, "'", "\0"])
def test_a_pipeline_that_is_not_one(world: World, content: str) -> None:
    version = damaged(world, "dvc.yaml", content)
    message = git(world.root, "tag", "-l", "--format=%(contents)", "greetings-v1.0.0")
    git(world.root, "tag", "-f", "-a", "-m", message, f"greetings-v{version}", f"greetings-v{version}^{{}}")
    refused(run("verify", "greetings", VERSION=version), 42, f"greetings-v{version}", "dvc.yaml")


@pytest.mark.parametrize("content", ["[]", "x", "card: []", "[" * 100_000, "a: *b"])
def test_params_of_another_shape(world: World, content: str) -> None:
    path = world.root / "data" / "greetings" / "params.yaml"
    path.write_text(content)
    refused(run("cards", "all"), 2, "params.yaml")
    path.unlink()


def test_a_working_copy_that_is_damaged(world: World) -> None:
    path = world.root / "data" / "greetings" / "metadata.json"
    before = path.read_bytes()
    path.write_text('{"logical_hash": 1}')
    refused(run("show", "greetings"), 23, "data/greetings/metadata.json")
    path.write_bytes(before)


def test_what_yaml_lets_through_is_read(world: World) -> None:
    lock = (world.root / "data" / "greetings" / "dvc.lock").read_text()
    version = damaged(world, "dvc.lock", f"# written by others\n{lock}more: [1, null, 2.5, x, 2020-01-01]\n")
    assert run("diff", "greetings", "1.0.0", version).exit_code == 0
