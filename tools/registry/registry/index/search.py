"""Search the vector index, in the same ways as its readers."""

import dataclasses
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data_registry.stage.errors import UsageError

from registry.datasets import Dataset
from registry.index.running import PARAMS, run_tool
from registry.terminal import WIDTH, printable

MODES = ("vector", "text", "hybrid")
SHOWN = 4  # lines of a hit
SECTIONS = ("section_h1", "section_h2", "section_h3")


@dataclasses.dataclass(frozen=True)
class Hit:
    """A chunk that was found, and how good it is for the question; more is better."""

    id: str
    score: float
    content: str
    metadata: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Answers:
    """What was found for each question, the best first, and in which table."""

    table: str
    hits: list[list[Hit]]


def embed(dataset: Dataset, root: Path, questions: Sequence[str]) -> list[dict[str, Any]]:
    """Return the questions with their vectors, as pgloader takes them.

    Raises UsageError for an empty one, and what chunk-embed does.
    """
    if not all(question.strip() for question in questions):
        raise UsageError("Q", "no question", 'make search Q="how do I deploy with Argo"')
    found = run_tool(root, dataset.folder, "chunk-embed", "query", "-q", *PARAMS, given=list(questions))
    return [
        {"query": question, "embedding": vector, "embedding_model": found["embedding_model"]}
        for question, vector in zip(questions, found["embeddings"], strict=True)
    ]


def ask(
    dataset: Dataset,
    root: Path,
    queries: list[dict[str, Any]],
    table: str = "current",
    *,
    mode: str = "hybrid",
    limit: int = 5,
) -> Answers:
    """Search what readers see, or another table that is loaded, for each query.

    ``mode`` is ``vector`` (by meaning), ``text`` (by words) or ``hybrid`` (both rankings fused).
    Raises what pgloader does.
    """
    settings = (*PARAMS, "--load", table, "--mode", mode, "--limit", str(limit))
    found = run_tool(root, dataset.folder, "pgloader", "search", *settings, given=queries)
    names = [field.name for field in dataclasses.fields(Hit)]
    answers = [answer["hits"] for answer in found["results"]]
    return Answers(found["table"], [[Hit(**{name: hit[name] for name in names}) for hit in hits] for hits in answers])


def as_text(question: str, answers: Answers) -> str:
    """Return what was found for one question, for a terminal of 80 columns."""
    (hits,) = answers.hits
    if not hits:
        return f"Nothing in {answers.table} answers {question!r}."
    return "\n\n".join("\n".join(_lines(place, hit)) for place, hit in enumerate(hits, 1))


def _lines(place: int, hit: Hit) -> Iterator[str]:
    titles = (printable(hit.metadata.get(name) or "").strip() for name in SECTIONS)
    yield textwrap.shorten(
        f"{place}. " + " > ".join([str(hit.metadata["source_repo"]), *filter(None, titles)]), WIDTH, placeholder=" …"
    )
    lines = textwrap.wrap(printable(hit.content), WIDTH - 3, max_lines=SHOWN, placeholder=" …")
    yield from (f"   {line}" for line in lines)
