"""The vector index from end to end: from the released READMEs to what its readers find, embedded and in Compose."""

import dataclasses
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import environ, git, make_clone
from integration.clones import Clone, clone_of, error_line
from integration.stack import running_stack

pytestmark = pytest.mark.extended

READMES, INDEX, QUESTIONS = (f"opencloudhub-readmes{rest}" for rest in ("", "-embeddings", "-rag-evaluation"))
KNOWN = {
    "How do I submit a Ray job that fine-tunes DistilBERT on emotions?": "ai-dl-bert",
    "Which Terraform modules provision the infrastructure?": "infra-modules",
    "How are secrets seeded into Vault for local development?": "gitops",
}
COMMANDS = (  # in the README's order; the tests below run them
    *(f"make dataset DS={READMES}", f"make release DS={READMES} VERSION=1.0.0", f"make dataset DS={INDEX}"),
    *(f"make release DS={INDEX} VERSION=1.0.0", "make switch", 'make search Q="how do I deploy with Argo"'),
)
OWN = {"dvc.lock", "metadata.json", "receipt.json"}


@dataclasses.dataclass(frozen=True)
class World:
    """A clone in which the READMEs are released, the index is built twice, and nothing was switched to yet."""

    clone: Clone
    refused: subprocess.CompletedProcess[str]  # before the READMEs were released
    built: str
    again: str

    def run(self, *command: str, **variables: str) -> str:
        done = self.clone.run(*command, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def search(self, question: str, **variables: str) -> list[dict[str, Any]]:
        found = json.loads(self.run("make", "search", f"Q={question}", "JSON=1", **variables))
        hits: list[dict[str, Any]] = found["hits"]
        return hits

    @property
    def folder(self) -> Path:
        return self.clone.folder / "data" / INDEX


@pytest.fixture(scope="module")
def embedded(root: Path, mirror: Path, chunk_embed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("embedded")
    clone = make_clone(root, folder / "clone")
    known = environ(root, RUNTIME="host", FETCH_MIRROR=str(mirror), SOURCE="upstream")
    yield made(Clone(clone, known), folder)


@pytest.fixture(scope="module")
def compose(
    root: Path,
    mirror: Path,
    images: dict[str, str],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> World:
    stack = running_stack(root, request.config)
    folder = tmp_path_factory.mktemp("compose")
    clone = clone_of(root, folder / "clone", stack, "dvcstore/index")
    known = {**clone.known, "RUNTIME": "container", "FETCH_MIRROR": str(mirror), "SOURCE": "upstream"}
    return made(Clone(clone.folder, known), folder)


# In Compose, the same is done by Argo's steps too (tests/integration/test_argo.py).
@pytest.fixture(params=["embedded", pytest.param("compose", marks=[pytest.mark.docker, pytest.mark.slow])])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


def made(clone: Clone, folder: Path) -> World:
    git(clone.folder, "config", "user.name", "releaser")
    git(clone.folder, "config", "user.email", "releaser@localhost")
    clone.registry("images", "--no-build")
    git(clone.folder, "commit", "-q", "-a", "--allow-empty", "-m", "The tools as they are")
    git(folder, "clone", "-q", "--bare", str(clone.folder), "origin.git")
    git(clone.folder, "remote", "add", "origin", (folder / "origin.git").as_uri())
    git(clone.folder, "fetch", "-q", "origin")
    git(clone.folder, "branch", "-q", "-u", "origin/main")
    refused = clone.run("make", "dataset", f"DS={INDEX}")
    for command in (
        ("dataset", f"DS={QUESTIONS}"),
        ("dataset", f"DS={READMES}"),
        ("release", f"DS={READMES}", "VERSION=1.0.0"),
    ):
        done = clone.run("make", *command)
        assert done.returncode == 0, done.stderr
    build = [clone.run("make", "dataset", f"DS={INDEX}") for _ in range(2)]
    assert [each.returncode for each in build] == [0, 0], build[0].stderr
    return World(clone, refused, build[0].stdout, build[1].stdout)


def test_the_readme_has_these_commands_in_this_order(root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    assert "\n" + "".join(f"    {command}\n" for command in COMMANDS) + "\n" in text


def test_without_its_release_nothing_is_made(world: World) -> None:
    assert world.refused.returncode != 0
    assert (
        "error: opencloudhub-readmes-v1.0.0: not released; fix: make release DS=opencloudhub-readmes VERSION=1.0.0"
        in world.refused.stderr
    )


def test_it_is_built_once_from_the_release_that_it_names(world: World) -> None:
    stages = r" [0-9.]+ s, ".join(("registry", "chunk-embed", "pgloader", "stats"))
    assert re.search(rf"^  built     {stages} [0-9.]+ s$", world.built, re.MULTILINE)
    assert "data      from opencloudhub-readmes-v1.0.0" in world.built and "chunks of 14 documents" in world.built
    assert "nothing: all stages are current" in world.again
    metadata = json.loads((world.folder / "metadata.json").read_text())
    (parent,) = metadata["provenance"]["parents"]
    readmes = json.loads((world.clone.folder / "data" / READMES / "metadata.json").read_text())
    assert parent == {
        "dataset": READMES,
        "version": "opencloudhub-readmes-v1.0.0",
        "logical_hash": readmes["logical_hash"],
    }
    assert metadata["truncated_tokens"] == 0 and metadata["source_data_version"] == "opencloudhub-readmes-v1.0.0"
    assert metadata["statistics"]["total_files"] == metadata["statistics"]["total_repositories"] == 14


def test_what_is_committed_was_measured_on_these_chunks(world: World) -> None:
    """evaluation.json is in git, so that the first release has it; a change of chunks must be measured again."""
    metadata = json.loads((world.folder / "metadata.json").read_text())
    committed = json.loads(git(world.clone.folder, "show", f"main:data/{INDEX}/evaluation.json"))
    assert committed["logical_hash"] == metadata["logical_hash"], "run: make evaluate"
    assert metadata["evaluation"]["hybrid"]["by_source"]["hit@5"] > 0.9 and metadata["checks"]["warnings"] == []


def test_release_switch_search_and_back(world: World) -> None:
    unseen = world.clone.run("make", "search", "Q=anything")
    assert unseen.returncode != 0 and "make switch" in unseen.stderr
    world.run("make", "release", f"DS={INDEX}", "VERSION=1.0.0")
    assert {line[3:].rpartition("/")[2] for line in git(world.clone.folder, "status", "--porcelain").splitlines()} <= {
        *OWN,
        "evaluation.json",
    }
    table = json.loads((world.folder / "receipt.json").read_text())["table"]
    assert f"now {table}" in world.run("make", "switch")
    for question, repository in KNOWN.items():
        hits = world.search(question)
        assert repository in [hit["metadata"]["source_repo"] for hit in hits[:3]]
        assert {hit["metadata"]["data_version"] for hit in hits} == {"opencloudhub-readmes-v1.0.0"}
        assert world.search(question, VERSION="1.0.0") == hits
    shown = world.run("make", "search", "Q=how do I deploy with Argo")
    assert shown.startswith("1. ") and max(map(len, shown.splitlines())) <= 80
    alone = world.clone.run("make", "rollback")
    assert alone.returncode != 0 and "no version before" in alone.stderr


def test_questions_are_measured_in_every_mode(world: World) -> None:
    before = (world.folder / "metadata.json").read_bytes()
    shown = world.run("make", "evaluate")
    assert "the right document" in shown and "recorded in" in shown
    assert (world.folder / "metadata.json").read_bytes() == before  # for it was measured before, and is the same
    figures = json.loads((world.folder / "evaluation.json").read_text())
    assert figures["hybrid"]["by_concepts"]["mrr"] > figures["text"]["by_concepts"]["mrr"]


def test_a_working_copy_is_marked_and_neither_released_nor_switched_to(embedded: World) -> None:
    params = embedded.folder / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("version: opencloudhub-readmes-v1.0.0", "version: workspace"))
    try:
        embedded.run("make", "dataset", f"DS={INDEX}")
        metadata = pq.read_schema(embedded.folder / "embeddings.parquet").metadata[b"data-registry"]
        assert json.loads(metadata)["source_data_version"] == "workspace"
        refused = embedded.clone.run("make", "release", f"DS={INDEX}", "VERSION=2.0.0")
        assert "made from an unreleased working copy" in refused.stderr and refused.returncode != 0
        line = error_line(
            embedded.clone.run(
                "tools/run", "pgloader", "switch", "--params", f"data/{INDEX}/params.yaml",
                f"data/{INDEX}/receipt.json", "--version", "x",
            ),
            40,
        )  # fmt: skip
        assert "was made from a working copy" in line
    finally:
        params.write_text(before)
        embedded.run("make", "dataset", f"DS={INDEX}")


@pytest.mark.slow
def test_a_second_index_is_built_without_an_evaluation_and_measured(embedded: World) -> None:
    embedded.run("make", "new", "DS=second", "KIND=index")
    folder = embedded.clone.folder / "data/second"
    (folder / "evaluation.json").unlink()  # as in a folder that was made by hand
    embedded.run("make", "dataset", "DS=second")
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["evaluation"] == {} and "make evaluate" in metadata["checks"]["warnings"][0]
    assert json.loads((folder / "receipt.json").read_text())["relation"] == "second"
    embedded.run("make", "evaluate", "DS=second")
    metadata = json.loads((folder / "metadata.json").read_text())
    assert json.loads((folder / "evaluation.json").read_text())["logical_hash"] == metadata["logical_hash"]
    assert metadata["evaluation"]["hybrid"]["by_source"]["hit@5"] > 0.9 and metadata["checks"]["warnings"] == []
    shutil.rmtree(folder)


@pytest.mark.slow
def test_the_release_is_built_again_and_vectors_compared(embedded: World) -> None:
    embedded.run("make", "release", f"DS={INDEX}", "VERSION=1.0.0")
    said = embedded.run("make", "verify", f"DS={INDEX}", "REBUILD=1")
    assert "all as released; the rebuild is identical" in said


def test_a_lost_database_is_filled_again(embedded: World) -> None:
    """make load asks the database, and not a file."""
    embedded.run("make", "release", f"DS={INDEX}", "VERSION=1.0.0")
    table = json.loads((embedded.folder / "receipt.json").read_text())["table"]
    shutil.rmtree(embedded.clone.folder / ".local" / "postgres")
    assert f"{table}: " in embedded.run("make", "load")
    shutil.rmtree(embedded.clone.folder / ".local" / "postgres")
    assert f"now {table}" in embedded.run("make", "switch")  # which loads it first
    assert embedded.search(next(iter(KNOWN)))
