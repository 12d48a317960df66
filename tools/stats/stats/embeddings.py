"""Measure embedded chunks: numbers, lengths, documents, and the evaluation of their retrieval."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from samples import logical_hash
from stage.errors import ChecksumMismatch, CorruptFile, EmptyInput, InputMissing, SchemaMismatch
from stage.foreign import read_bytes, read_json

from stats.manifests import CORRUPT, check_columns, check_count, verified_manifest
from stats.provenance import Derived
from stats.report import Summary, rounded, write_report
from stats.settings import Dataset

METADATA_KEY = b"data-registry"  # of the footer
VECTOR = "embedding"
RERUN = "run chunk-embed again"
DESCRIPTIONS = {
    "id": "of the chunk: the same document and place give the same",
    "content": "the chunk's text",
    VECTOR: "the vector of its meaning",
    "source_repo": "the repository that the document is of",
    "source_file": "the document",
    "chunk_index": "place of the chunk in it, from 0",
    "doc_id": "of the document: its hash",
    "section_h1": "heading above the chunk, first level",
    "section_h2": "heading above the chunk, second level",
    "section_h3": "heading above the chunk, third level",
    "start": "where the chunk begins in the document, in characters",
    "end": "where it ends",
    "tokens": "tokens of the content, as the model counts them",
    "embedded_tokens": "tokens of what the model was given: the content without the marks of Markdown",
}


def summarise_embeddings(
    embeddings: Path,
    samples: Path,
    output: Path,
    dataset: Dataset,
    provenance: Derived,
    *,
    parent: Path,
    receipt: Path,
    evaluation: Path,
) -> Summary:
    """Write ``metadata.json`` for the chunks in ``embeddings``.

    ``parent`` is the folder of the release that they were made from, ``receipt`` the receipt of pgloader, and
    ``evaluation`` the figures of ``make evaluate``, which are included if their logical hash is that of these chunks.
    Raises InputMissing, CorruptFile, EmptyInput, SchemaMismatch, or ChecksumMismatch if the inputs do not match.
    """
    manifest = verified_manifest(samples, embeddings)
    try:
        with pq.ParquetFile(embeddings, page_checksum_verification=True) as file:
            schema, footer = file.schema_arrow, _footer(file.schema_arrow, embeddings)
            chunks = file.read([name for name in schema.names if name not in {VECTOR, "content"}])
            characters = _lengths(file)
    except CORRUPT as error:
        raise CorruptFile(embeddings, str(error), RERUN) from error
    if missing := [name for name in DESCRIPTIONS if name not in schema.names]:
        raise SchemaMismatch(embeddings, f"column {missing[0]} not found", RERUN)
    check_columns(samples, manifest, pa.schema([field for field in schema if field.name != VECTOR]), "run chunk-embed")
    if not chunks.num_rows:
        raise EmptyInput(embeddings, "no chunks", RERUN)
    check_count(manifest, manifest.rows, embeddings, chunks.num_rows)
    load = _read_document(receipt)
    if load.get("load_id") != manifest.files.get(embeddings.as_posix()):
        raise ChecksumMismatch(receipt, f"not the receipt of this {embeddings}", "run pgloader load again")
    figures, warnings = _evaluation(_read_document(evaluation), logical_hash(samples))
    return write_report(
        output,
        dataset,
        manifest,
        {
            **{name: footer.get(name) for name in ("source_data_version", "embedding_model", "revision", "precision")},
            **{name: footer.get(name) for name in ("dimension", "chunk_size", "chunk_overlap", "truncated_tokens")},
            "schema": {"features": _features(schema)},
            "summary": {"num_samples": manifest.rows},
            "statistics": {
                **_statistics(chunks, characters, _read_document(parent / "metadata.json")),
                "left_out_characters": footer.get("left_out", {}),
            },
            "index": {name: value for name, value in load.items() if name != "load_id"},
            "evaluation": figures,
        },
        provenance,
        warnings=warnings,
    )


def _statistics(chunks: pa.Table, characters: npt.NDArray[np.int64], parent: dict[str, Any]) -> dict[str, Any]:
    """Return the statistics of the documents, with the keys of earlier versions, and of the chunks."""
    repositories = sorted(pc.unique(chunks["source_repo"]).to_pylist())
    totals: dict[str, Any] = {"total_repositories": len(repositories), "repository_names": repositories}
    sizes = {"characters": characters}
    sizes |= {name: chunks[name].to_numpy().astype(np.int64) for name in ("tokens", "embedded_tokens")}
    chunk_sizes: dict[str, Any] = {"total_chunks": chunks.num_rows}
    for name, values in sizes.items():
        chunk_sizes[f"{name}_mean"] = rounded(float(values.sum()) / len(values))
        chunk_sizes |= {f"{name}_min": int(values.min()), f"{name}_max": int(values.max())}
    return {**parent.get("statistics", {}), **totals, **chunk_sizes}


def _lengths(file: pq.ParquetFile) -> npt.NDArray[np.int64]:
    """Return the lengths of the chunks in characters, with one batch in memory at a time."""
    lengths = [pc.utf8_length(batch["content"]).to_numpy() for batch in file.iter_batches(columns=["content"])]
    return np.concatenate([np.empty(0, np.int64), *lengths]).astype(np.int64)


def _footer(schema: pa.Schema, path: Path) -> dict[str, Any]:
    content = (schema.metadata or {}).get(METADATA_KEY, b"{}")
    footer: dict[str, Any] = read_json(content, f"{path} footer", dict, CorruptFile, RERUN)
    return footer


def _features(schema: pa.Schema) -> dict[str, Any]:
    return {name: {"dtype": str(schema.field(name).type), "description": text} for name, text in DESCRIPTIONS.items()}


def _evaluation(evaluation: dict[str, Any], identity: str) -> tuple[dict[str, Any], list[str]]:
    """Return the figures of an evaluation and no warning, or none and a warning if it is of other chunks."""
    if evaluation.get("logical_hash") == identity:
        return {name: value for name, value in evaluation.items() if name != "logical_hash"}, []
    return {}, ["retrieval was not measured on these chunks: make evaluate"]


def _read_document(path: Path) -> dict[str, Any]:
    try:
        content = read_bytes(path)
    except FileNotFoundError as error:
        raise InputMissing(path, "file not found", "run the stages before this one") from error
    document: dict[str, Any] = read_json(content, path, dict, CorruptFile, "run the stage that makes it again")
    return document
