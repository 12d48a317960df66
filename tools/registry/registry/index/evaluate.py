"""Measure an index by questions whose answers are known: in which documents they are, and what they must name."""

import csv
import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import Any

from data_registry.stage.errors import InputMissing, SchemaMismatch, UsageError
from data_registry.stage.foreign import read_bytes, read_json
from data_registry.stage.output import replacing
from data_registry.stage.redaction import safe_url

from registry.build.evaluation import EVALUATION
from registry.build.pipeline import reproduce
from registry.datasets import Dataset
from registry.index.measures import DEPTH, distinct, measured
from registry.index.parent import read_settings
from registry.index.search import MODES, Hit, ask, embed
from registry.index.versions import load, released_table
from registry.services.tracking import connected, tracking_uri

EXPECTED = "expected_sources.csv"
ENOUGH = 0.5  # of a question's key concepts, for a chunk to answer it
EXPERIMENT = "readme-rag-retrieval"


@dataclasses.dataclass(frozen=True)
class Question:
    """A question, the repositories whose documents answer it, and what an answer names."""

    text: str
    sources: tuple[str, ...]
    concepts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What was measured, by mode of search and by what makes a hit relevant."""

    index: str
    questions: int
    figures: dict[str, Any]


def evaluate(dataset: Dataset, root: Path, version: str = "") -> Evaluation:
    """Ask an index every question in every mode, and measure what it finds: a release, or the working copy.

    Of documents, each counts where its first chunk is found; of concepts, a chunk is relevant that names at least half
    of them. Raises InputMissing where there are no questions, UsageError where params.yaml names none, and what search
    does.
    """
    questions = read_questions(_questions_of(dataset, root))
    table = released_table(dataset, root, version) if version else load(dataset, root)["table"]
    queries = embed(dataset, root, [each.text for each in questions])
    answers = {mode: ask(dataset, root, queries, table, mode=mode, limit=5 * DEPTH) for mode in MODES}
    figures = {
        mode: {
            "by_source": measured(map(_by_source, questions, found.hits)),
            "by_concepts": measured(map(_by_concepts, questions, found.hits)),
        }
        for mode, found in answers.items()
    }
    return Evaluation(next(iter(answers.values())).table, len(questions), figures)


def read_questions(folder: Path) -> list[Question]:
    """Read the questions and who answers them. Raises InputMissing or SchemaMismatch."""
    path, labels = folder / "questions.csv", folder / EXPECTED
    for each in (path, labels):
        if not each.is_file():
            raise InputMissing(each, "no such file", f"make dataset DS={folder.name}")
    rows, sources = _read(path, ("question", "key_concepts")), _read(labels, ("question", "expected_sources"))
    expected = {row["question"]: _list(labels, row["expected_sources"]) for row in sources}
    if missing := [row["question"] for row in rows if row["question"] not in expected]:
        raise SchemaMismatch(labels, f"says nothing of {missing[0]!r}", "add the repositories that answer it")
    return [Question(row["question"], expected[row["question"]], _list(path, row["key_concepts"])) for row in rows]


def _read(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a CSV file that has the columns. Raises SchemaMismatch for any other."""
    try:
        rows = list(csv.DictReader(io.StringIO(read_bytes(path).decode(), newline="")))
    except (csv.Error, UnicodeDecodeError) as error:
        raise SchemaMismatch(path, f"invalid CSV: {error}", "correct the file") from error
    for number, row in enumerate(rows, 1):
        if missing := [name for name in columns if not isinstance(row.get(name), str)]:
            raise SchemaMismatch(path, f"row {number} has no {missing[0]}", "correct the file")
    return rows


def _list(path: Path, text: str) -> tuple[str, ...]:
    return tuple(read_json(text, path, [str], SchemaMismatch, "write a JSON array of texts"))


def record(dataset: Dataset, root: Path, found: Evaluation) -> str:
    """Keep what was measured of the working copy in ``evaluation.json``, ``metadata.json`` and MLflow; say where."""
    write_evaluation(dataset, root, found)
    reproduce(dataset, root)
    uri = tracking_uri(root)
    run = log_evaluation(dataset, uri, found)
    return f"recorded in data/{dataset.name}/{EVALUATION} and metadata.json, and as run {run} in {safe_url(uri)}"


def write_evaluation(dataset: Dataset, root: Path, found: Evaluation) -> Path:
    """Write ``evaluation.json``, which says of which chunks and questions it is, for the stage stats."""
    folder = _questions_of(dataset, root)
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("questions.csv", EXPECTED)}
    path = dataset.folder / EVALUATION
    document = {
        "logical_hash": dataset.metadata()["logical_hash"],
        "questions": {"dataset": folder.name, "number": found.questions, "sha256": digests},
        **found.figures,
    }
    with replacing(path) as (temporary,):
        temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path


def log_evaluation(dataset: Dataset, uri: str, found: Evaluation) -> str:
    """Log what was measured as a run in MLflow, with what it was measured on, and return the run's id."""
    metadata = dataset.metadata("source_data_version")
    with connected(uri) as client:
        known = client.get_experiment_by_name(EXPERIMENT)
        experiment = known.experiment_id if known else client.create_experiment(EXPERIMENT)
        run = client.create_run(experiment, tags={"dvc_data_version": str(metadata["source_data_version"])})
        for name in ("embedding_model", "revision", "precision", "chunk_size", "chunk_overlap", "logical_hash"):
            client.log_param(run.info.run_id, name, metadata.get(name))
        for name, value in flat(found.figures):
            client.log_metric(run.info.run_id, name, value)
        client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def flat(figures: dict[str, Any]) -> list[tuple[str, float]]:
    """Return the figures by name, as ``hybrid.by_source.mrr``, in letters that MLflow takes."""
    return [
        (f"{mode}.{kind}.{name}".replace("@", "_at_"), value)
        for mode, kinds in figures.items()
        for kind, measures in kinds.items()
        for name, value in measures.items()
    ]


def _questions_of(dataset: Dataset, root: Path) -> Path:
    params = dataset.folder / "params.yaml"
    if not (name := read_settings(params).questions):
        what = "questions is not set"
        raise UsageError(f"{params} registry", what, "name the dataset whose questions measure the index")
    return root / "data" / name


def _by_source(question: Question, hits: list[Hit]) -> tuple[list[bool], int]:
    ranked = distinct(hit.metadata["source_repo"] for hit in hits)
    return [name in question.sources for name in ranked], len(question.sources)


def _by_concepts(question: Question, hits: list[Hit]) -> tuple[list[bool], int]:
    """Return which hits name enough; as relevant count those found, for nobody has read every chunk for it."""
    places = [
        sum(concept.casefold() in hit.content.casefold() for concept in question.concepts)
        >= ENOUGH * len(question.concepts)
        for hit in hits
    ]
    return places, sum(places)
