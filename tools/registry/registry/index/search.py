"""Search the vector index, in the modes that its readers have."""

import dataclasses
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data_registry.stage.errors import UsageError

from registry.build.running import run_tool
from registry.datasets import Dataset
from registry.terminal import WIDTH, printable

MODES = ("vector", "text", "hybrid")  # in the order in which evaluation.json has them
LINES = 4  # of text for each hit
SECTIONS = ("section_h1", "section_h2", "section_h3")


@dataclasses.dataclass(frozen=True)
class Hit:
    """A chunk, and its score for the question; higher is better."""

    id: str
    score: float
    content: str
    metadata: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Results:
    """The hits for each question, best first, and the table that was searched."""

    table: str
    hits: list[list[Hit]]


def embed(dataset: Dataset, root: Path, questions: Sequence[str]) -> list[dict[str, Any]]:
    """Return the questions with their vectors, in the form that pgloader reads.

    Raises UsageError for an empty question, and ChildFailed.
    """
    if not all(question.strip() for question in questions):
        raise UsageError("Q", "empty question", 'make search Q="how do I deploy with Argo"')
    embedded = run_tool(root, dataset.folder, "chunk-embed", "query", "-q", given=list(questions))
    return [
        {"query": question, "embedding": vector, "embedding_model": embedded["embedding_model"]}
        for question, vector in zip(questions, embedded["embeddings"], strict=True)
    ]


def search(
    dataset: Dataset,
    root: Path,
    queries: list[dict[str, Any]],
    table: str = "current",
    *,
    mode: str = "hybrid",
    limit: int = 5,
) -> Results:
    """Search the table that readers see (``current``), or another loaded one, for each query.

    ``mode`` is ``vector`` (by meaning), ``text`` (by words) or ``hybrid`` (both rankings fused). Raises ChildFailed.
    """
    settings = ("--load", table, "--mode", mode, "--limit", str(limit))
    reply = run_tool(root, dataset.folder, "pgloader", "search", *settings, given=queries)
    fields = [field.name for field in dataclasses.fields(Hit)]
    hits = [[Hit(*(hit[name] for name in fields)) for hit in result["hits"]] for result in reply["results"]]
    return Results(reply["table"], hits)


def as_text(question: str, results: Results) -> str:
    """Return the hits of one question for a terminal of 80 columns."""
    (hits,) = results.hits
    if not hits:
        return f"No result for {question!r} in {results.table}."
    return "\n\n".join("\n".join(_lines(rank, hit)) for rank, hit in enumerate(hits, 1))


def _lines(rank: int, hit: Hit) -> Iterator[str]:
    """Yield file, heading and score on one line, then the beginning of the text."""
    names = [hit.metadata.get("source_file") or hit.metadata["source_repo"], *map(hit.metadata.get, SECTIONS)]
    path = " > ".join(filter(None, (printable(str(name or "")).strip() for name in names)))
    score = f"{hit.score:.3f}"
    heading = textwrap.shorten(f"{rank}. {path}", WIDTH - len(score) - 2, placeholder=" …")
    yield f"{heading:<{WIDTH - len(score)}}{score}"
    lines = textwrap.wrap(printable(hit.content), WIDTH - 3, max_lines=LINES, placeholder=" …")
    yield from (f"   {line}" for line in lines)
