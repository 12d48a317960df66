"""Measure embedded chunks of documents: how many, how long, from which documents, and how well they are found."""

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

from stats.checked import CORRUPT, check_columns, check_count, checked_manifest
from stats.metadata import rounded
from stats.provenance import Derived
from stats.report import Summary, write_report
from stats.settings import Dataset

META = b"data-registry"  # the key of the footer, which says how the vectors were made
VECTOR = "embedding"
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

    ``parent`` is the folder of the release that they were made from, ``receipt`` what pgloader says of its table, and
    ``evaluation`` how well questions found their answers: it is taken over if it is of these very chunks.
    Raises InputMissing, CorruptFile, EmptyInput, SchemaMismatch, or ChecksumMismatch where they do not fit together.
    """
    manifest = checked_manifest(samples, embeddings)
    try:
        with pq.ParquetFile(embeddings, page_checksum_verification=True) as file:
            schema, footer = file.schema_arrow, _footer(file.schema_arrow, embeddings)
            chunks = file.read([name for name in schema.names if name not in {VECTOR, "content"}])
            characters = _lengths(file)
    except CORRUPT as error:
        raise CorruptFile(embeddings, str(error), "run chunk-embed again") from error
    if missing := [name for name in DESCRIPTIONS if name not in schema.names]:
        raise SchemaMismatch(embeddings, f"has no column {missing[0]}", "write it with chunk-embed")
    check_columns(samples, manifest, pa.schema([field for field in schema if field.name != VECTOR]), "run chunk-embed")
    if not chunks.num_rows:
        raise EmptyInput(embeddings, "no chunks", "run chunk-embed again")
    check_count(manifest, manifest.rows, embeddings, chunks.num_rows)
    loaded = _document(receipt)
    if loaded.get("load_id") != manifest.files.get(embeddings.as_posix()):
        raise ChecksumMismatch(receipt, f"is not of this {embeddings}", "run pgloader load again")
    figures, warnings = _evaluated(_document(evaluation), logical_hash(samples))
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
                **_statistics(chunks, characters, _document(parent / "metadata.json")),
                "left_out_characters": footer.get("left_out", {}),
            },
            "index": {name: value for name, value in loaded.items() if name != "load_id"},
            "evaluation": figures,
        },
        provenance,
        warnings=warnings,
    )


def _statistics(chunks: pa.Table, characters: npt.NDArray[np.int64], parent: dict[str, Any]) -> dict[str, Any]:
    """Return what the documents are, as the earlier registry had it, and what the chunks are."""
    repositories = sorted(pc.unique(chunks["source_repo"]).to_pylist())
    found: dict[str, Any] = {"total_repositories": len(repositories), "repository_names": repositories}
    sizes = {"characters": characters}
    sizes |= {name: chunks[name].to_numpy().astype(np.int64) for name in ("tokens", "embedded_tokens")}
    of_chunks: dict[str, Any] = {"total_chunks": chunks.num_rows}
    for name, values in sizes.items():
        of_chunks[f"{name}_mean"] = rounded(float(values.sum()) / len(values))
        of_chunks |= {f"{name}_min": int(values.min()), f"{name}_max": int(values.max())}
    return {**parent.get("statistics", {}), **found, **of_chunks}


def _lengths(file: pq.ParquetFile) -> npt.NDArray[np.int64]:
    """Return the lengths of the chunks in characters, a batch in memory at a time."""
    lengths = [pc.utf8_length(batch["content"]).to_numpy() for batch in file.iter_batches(columns=["content"])]
    return np.concatenate([np.empty(0, np.int64), *lengths]).astype(np.int64)


def _footer(schema: pa.Schema, path: Path) -> dict[str, Any]:
    content = (schema.metadata or {}).get(META, b"{}")
    found: dict[str, Any] = read_json(content, f"{path} footer", dict, CorruptFile, "run chunk-embed again")
    return found


def _features(schema: pa.Schema) -> dict[str, Any]:
    return {name: {"dtype": str(schema.field(name).type), "description": text} for name, text in DESCRIPTIONS.items()}


def _evaluated(found: dict[str, Any], identity: str) -> tuple[dict[str, Any], list[str]]:
    if found.get("logical_hash") == identity:
        return {name: value for name, value in found.items() if name != "logical_hash"}, []
    return {}, ["retrieval was not measured on these chunks: make evaluate"]


def _document(path: Path) -> dict[str, Any]:
    try:
        content = read_bytes(path)
    except FileNotFoundError as error:
        raise InputMissing(path, "no such file", "run the stages before this one") from error
    found: dict[str, Any] = read_json(content, path, dict, CorruptFile, "run the stage that makes it again")
    return found
