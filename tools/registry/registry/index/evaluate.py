"""Measure an index by questions with known answers: the documents that hold them, and concepts that they name.

hit@k, reciprocal rank and nDCG as in Manning, Raghavan, Schütze, Introduction to Information Retrieval (2008), chapter
8; nDCG with binary gains and log2 discounts (Järvelin, Kekäläinen 2002).
"""

import csv
import dataclasses
import hashlib
import io
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from data_registry.stage.errors import InputMissing, SchemaMismatch, UsageError
from data_registry.stage.foreign import read_bytes, read_json
from data_registry.stage.output import replacing
from data_registry.stage.redaction import safe_url

from registry.build.pipeline import EVALUATION, reproduce
from registry.datasets import Dataset
from registry.index.parent import read_settings
from registry.index.search import MODES, Hit, embed, search
from registry.index.versions import load, released_table
from registry.services.tracking import connected, tracking_uri

EXPECTED = "expected_sources.csv"
ENOUGH = 0.5  # share of the key concepts that a relevant chunk names
EXPERIMENT = "readme-rag-retrieval"
DEPTH = 10  # ranks that count
HITS = (1, 3, 5)
TITLES = {"by_source": "the right document", "by_concepts": "half of the key concepts"}


@dataclasses.dataclass(frozen=True)
class Question:
    """A question, the repositories whose documents answer it, and the concepts that an answer names."""

    text: str
    sources: tuple[str, ...]
    concepts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Measures by mode of search and by kind of relevance."""

    index: str
    questions: int
    figures: dict[str, Any]


def evaluate(dataset: Dataset, root: Path, version: str = "") -> Evaluation:
    """Search an index for every question in every mode, and measure the results: of a release, or the working copy.

    By source, a document counts at the rank of its first chunk; by concepts, a chunk is relevant if it names at least
    half of them. Raises InputMissing or UsageError without questions, and ChildFailed.
    """
    questions = read_questions(_questions_of(dataset, root))
    table = released_table(dataset, root, version) if version else load(dataset, root)["table"]
    queries = embed(dataset, root, [question.text for question in questions])
    results = {mode: search(dataset, root, queries, table, mode=mode, limit=5 * DEPTH) for mode in MODES}
    figures = {
        mode: {
            "by_source": measure(map(_by_source, questions, result.hits)),
            "by_concepts": measure(map(_by_concepts, questions, result.hits)),
        }
        for mode, result in results.items()
    }
    return Evaluation(next(iter(results.values())).table, len(questions), figures)


def read_questions(folder: Path) -> list[Question]:
    """Read the questions and the documents that answer them. Raises InputMissing or SchemaMismatch."""
    path, labels = folder / "questions.csv", folder / EXPECTED
    for file in (path, labels):
        if not file.is_file():
            raise InputMissing(file, "file not found", f"make dataset DS={folder.name}")
    rows, sources = _read(path, ("question", "key_concepts")), _read(labels, ("question", "expected_sources"))
    expected = {row["question"]: _list(labels, row["expected_sources"]) for row in sources}
    if missing := [row["question"] for row in rows if row["question"] not in expected]:
        raise SchemaMismatch(labels, f"no row for question {missing[0]!r}", "add the repositories that answer it")
    return [Question(row["question"], expected[row["question"]], _list(path, row["key_concepts"])) for row in rows]


def _read(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a CSV file with these columns. Raises SchemaMismatch for any other file."""
    try:
        rows = list(csv.DictReader(io.StringIO(read_bytes(path).decode(), newline="")))
    except (csv.Error, UnicodeDecodeError) as error:
        raise SchemaMismatch(path, f"invalid CSV: {error}", "correct the file") from error
    for number, row in enumerate(rows, 1):
        if missing := [name for name in columns if not isinstance(row.get(name), str)]:
            raise SchemaMismatch(path, f"no {missing[0]} in row {number}", "correct the file")
    return rows


def _list(path: Path, text: str) -> tuple[str, ...]:
    return tuple(read_json(text, path, [str], SchemaMismatch, "write a JSON array of strings"))


def record(dataset: Dataset, root: Path, evaluation: Evaluation) -> str:
    """Write the measures of the working copy to ``evaluation.json``, ``metadata.json`` and MLflow; return where."""
    write_evaluation(dataset, root, evaluation)
    reproduce(dataset, root)
    uri = tracking_uri(root)
    run = log_evaluation(dataset, uri, evaluation)
    return f"recorded in data/{dataset.name}/{EVALUATION} and metadata.json, and as run {run} in {safe_url(uri)}"


def write_evaluation(dataset: Dataset, root: Path, evaluation: Evaluation) -> None:
    """Write ``evaluation.json`` with the hashes of chunks and questions; the stage stats reads it."""
    folder = _questions_of(dataset, root)
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("questions.csv", EXPECTED)}
    document = {
        "logical_hash": dataset.metadata()["logical_hash"],
        "questions": {"dataset": folder.name, "number": evaluation.questions, "sha256": digests},
        **evaluation.figures,
    }
    with replacing(dataset.folder / EVALUATION) as (temporary,):
        temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def log_evaluation(dataset: Dataset, uri: str, evaluation: Evaluation) -> str:
    """Log the measures as a run in MLflow, with the parameters of the index, and return the run's id."""
    metadata = dataset.metadata("source_data_version")
    with connected(uri) as client:
        known = client.get_experiment_by_name(EXPERIMENT)
        experiment = known.experiment_id if known else client.create_experiment(EXPERIMENT)
        run = client.create_run(experiment, tags={"dvc_data_version": str(metadata["source_data_version"])})
        for name in ("embedding_model", "revision", "precision", "chunk_size", "chunk_overlap", "logical_hash"):
            client.log_param(run.info.run_id, name, metadata.get(name))
        for name, value in flat(evaluation.figures):
            client.log_metric(run.info.run_id, name, value)
        client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def flat(figures: dict[str, Any]) -> list[tuple[str, float]]:
    """Return the figures by name, as ``hybrid.by_source.mrr``, in characters that MLflow allows."""
    return [
        (f"{mode}.{kind}.{name}".replace("@", "_at_"), value)
        for mode, kinds in figures.items()
        for kind, measures in kinds.items()
        for name, value in measures.items()
    ]


def _questions_of(dataset: Dataset, root: Path) -> Path:
    params = dataset.folder / "params.yaml"
    if not (name := read_settings(params).questions):
        fix = "name the dataset whose questions measure the index"
        raise UsageError(f"{params} registry", "questions is not set", fix)
    return root / "data" / name


def _by_source(question: Question, hits: list[Hit]) -> tuple[list[bool], int]:
    ranked = list(dict.fromkeys(hit.metadata["source_repo"] for hit in hits))
    return [name in question.sources for name in ranked], len(question.sources)


def _by_concepts(question: Question, hits: list[Hit]) -> tuple[list[bool], int]:
    """Return which hits are relevant, and their number: nobody has labelled every chunk."""
    concepts, texts = [concept.casefold() for concept in question.concepts], (hit.content.casefold() for hit in hits)
    relevant = [sum(concept in text for concept in concepts) >= ENOUGH * len(concepts) for text in texts]
    return relevant, sum(relevant)


def measure(rankings: Iterable[tuple[Sequence[bool], int]]) -> dict[str, float]:
    """Return the mean measures of some rankings: which ranks are relevant, and how many relevant items there are."""
    measures = [_measure(ranks[:DEPTH], relevant) for ranks, relevant in rankings]
    names = measures[0] if measures else ()
    return {name: round(sum(one[name] for one in measures) / len(measures), 4) for name in names}


def _measure(ranks: Sequence[bool], relevant: int) -> dict[str, float]:
    first = next((rank for rank, is_relevant in enumerate(ranks, 1) if is_relevant), math.inf)
    gain = sum(1 / math.log2(rank + 1) for rank, is_relevant in enumerate(ranks, 1) if is_relevant)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(relevant, DEPTH) + 1))
    hits = {f"hit@{k}": float(first <= k) for k in HITS}
    return {**hits, "mrr": 1 / first, f"ndcg@{DEPTH}": gain / ideal if ideal else 0.0}


def as_table(evaluation: Evaluation) -> str:
    """Return the measures for a terminal of 80 columns."""
    lines = [f"{evaluation.questions} questions on {evaluation.index}"]
    for kind, title in TITLES.items():
        names = list(next(iter(evaluation.figures.values()))[kind])
        lines += ["", f"{title:<26}{''.join(f'{name:>9}' for name in names)}"]
        for mode, kinds in evaluation.figures.items():
            lines.append(f"  {mode:<24}{''.join(f'{kinds[kind][name]:>9.3f}' for name in names)}")
    return "\n".join(lines)
