"""Passwords in addresses, and characters that forge or hide text: in nothing that a command writes."""

import re
from pathlib import Path
from typing import Any

import pytest
from catalog.cli import cli as catalog
from click.testing import CliRunner
from conftest import git
from registry import log_dataset
from registry.cli import cli
from unit.registry.lineage_records import records
from unit.registry.lineage_world import World, greetings, make_world

CANARY = "c4n4ry"
ORIGINS = (
    f"someone:{CANARY}@git.example.org:data/data_registry.git",
    f"https://someone:{CANARY}@git.example.org/data_registry.git",
    f"https://{CANARY}@git.example.org/data_registry.git",
    f"https://someone:p@{CANARY}@git.example.org/data_registry.git",
    f"ssh://git:{CANARY}@git.example.org/data_registry.git",
)
FORGING = "\x1b[31m\x9b2J\x07\r\N{RIGHT-TO-LEFT OVERRIDE}evil\N{RIGHT-TO-LEFT ISOLATE}\0"
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = make_world(tmp_path)
    monkeypatch.setenv("REGISTRY_ROOT", str(world.root))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_REMOTE", raising=False)
    return world


def output(*arguments: str, **environ: str) -> str:
    command = (catalog, ["build"]) if arguments == ("catalog",) else (cli, list(arguments))
    result = CliRunner().invoke(*command, env=environ)
    return result.stdout + result.stderr


def site(world: World) -> str:
    return "".join(path.read_text() for path in sorted((world.root / "site").rglob("*.html")))


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's, with SQLAlchemy 2.1
def test_the_password_of_the_origin(origin: str, world: World, empty: bytes, tmp_path: Path, monkeypatch: Any) -> None:
    world.release("greetings", "1.0.0", greetings())
    git(world.root, "config", "remote.origin.url", origin)
    monkeypatch.setenv("GIT_SSH_COMMAND", "false")
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "none")
    monkeypatch.setenv("DVC_REPO", str(world.root))
    said = [output("catalog"), site(world), output("doctor"), output("show", "greetings", "1.0.0"), output("show")]
    said += [output("get", "greetings", "1.0.0", str(tmp_path / "out"), "--repo", origin)]
    with records(tmp_path, empty) as client:
        experiment: Any = client.get_experiment_by_name("training")
        run = client.create_run(experiment.experiment_id)
        log_dataset("greetings", "1.0.0", client=client, run_id=run.info.run_id)
        said += [repr(client.get_run(run.info.run_id).to_dictionary())]
    assert [text for text in said if CANARY in text] == []
    assert "git.example.org" in said[1], "the address itself is shown"


@pytest.mark.parametrize(
    "uri",
    [
        f"postgresql://mlflow:{CANARY}@127.0.0.1:1/db",
        f"postgresql://mlflow:p/{CANARY}@127.0.0.1:1/db",
        f"mysql+pymysql://mlflow:p@{CANARY}@127.0.0.1:1/db",
        f"http://mlflow:{CANARY}@127.0.0.1:1",
        f"https://{CANARY}@127.0.0.1:1/?token={CANARY}",
    ],
)
def test_the_password_of_mlflow(uri: str, world: World, tmp_path: Path) -> None:
    world.release("greetings", "1.0.0", greetings())
    set_to = {"MLFLOW_TRACKING_URI": uri, "ENV": "docker"}
    said = [
        output("explain", "a/1", **set_to),
        output("whohas", "hello", **set_to),
        output("doctor", **set_to),
        output("prompts", **set_to),
        output("catalog", **set_to),
        site(world),
    ]
    assert [text for text in said if CANARY in text] == []
    assert "127.0.0.1:1" in said[0], "the address itself is shown"


def test_what_others_named_cannot_forge_the_output(world: World) -> None:
    about = {"name": "greetings", "title": f"Greetings {FORGING}", "description": FORGING, "licence": FORGING}
    world.release("greetings", "1.0.0", greetings([(f"hello {FORGING}", f"joy{FORGING}"), ("b", "c")]), dataset=about)
    (world.root / "data" / "greetings" / "README.md").write_text(f"# {FORGING}\n\n{FORGING}\n")
    git(world.root, "add", "-A")
    git(world.root, "commit", "-q", "-m", "A README")
    world.release("greetings", "1.1.0", greetings([(f"bye {FORGING}", "joy"), ("b", "d")]), dataset=about)
    texts = [
        output("show", "greetings", "1.0.0"),
        output("diff", "greetings", "1.0.0", "1.1.0"),
        output("diff", "greetings", "1.0.0", "1.1.0", "--format", "markdown"),
        output("whohas", f"hello {FORGING}"[:-1]),
        output("catalog"),
        site(world),
    ]
    for text in texts:
        found = UNSEEN.search(text)
        assert not found, (found, text[max(0, found.start() - 80) : found.end() + 20])
    assert "Greetings" in texts[0] and "Greetings" in texts[-1]


def test_a_tag_of_others_cannot_forge_the_output(world: World) -> None:
    world.release("greetings", "1.0.0", greetings())
    git(world.root, "tag", "greetings-v1.0.0\N{RIGHT-TO-LEFT OVERRIDE}")
    for text in (output("show", "greetings"), output("verify", "greetings", ALL="1"), output("catalog"), site(world)):
        assert not UNSEEN.search(text)
