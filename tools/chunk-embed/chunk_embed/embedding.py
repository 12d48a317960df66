"""Embed documents: split them into chunks, look up vectors in the cache, embed the others, check, write."""

import dataclasses
import logging
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from stage.errors import SchemaMismatch
from stage.progress import progress

from chunk_embed.documents import Release, read_documents
from chunk_embed.encoders import Vectors, backend
from chunk_embed.engines import choose_engine, run_batches, token_batches
from chunk_embed.model import Model, find_model
from chunk_embed.rows import Row, chunk_documents
from chunk_embed.settings import EmbedSettings
from chunk_embed.tokens import document_tokens
from chunk_embed.vector_cache import VectorCache, vector_key
from chunk_embed.writing import write_embeddings

log = logging.getLogger(__name__)
CACHE_EVERY: Final = 4096  # chunks: the most that are lost if a run is killed


@dataclasses.dataclass(frozen=True)
class EmbedResult:
    """What was written, and how many chunks were embedded or in the cache."""

    output: str
    documents: int
    chunks: int
    embedded: int
    cached: int
    truncated: int
    dimension: int
    precision: str
    engine: str


def embed_documents(
    raw: Path, release: Path, output: Path, samples: Path, settings: EmbedSettings, cache: Path | None = None
) -> EmbedResult:
    """Write the embedded chunks of the documents in ``raw``, and their manifest.

    ``cache`` is a folder for chunks and vectors. Raises what reading documents, finding the model and splitting raise,
    and SchemaMismatch for a vector that no index can use.
    """
    parent = Release.read(release)
    documents = read_documents(raw)
    model = find_model(settings, cache)
    chunked = chunk_documents(documents, settings, document_tokens(model, settings), cache)
    log.info("%d documents, %d chunks", len(documents), len(chunked.rows))
    vectors, engine, embedded = _vectors(chunked.rows, model, settings, cache)
    check_vectors(vectors, [row.where for row in chunked.rows])
    meta = {
        "dataset": parent.dataset,
        "source_data_version": parent.version,
        "source_logical_hash": parent.logical_hash,
        "embedding_model": model.name,
        "revision": model.revision,
        "weights_sha256": model.weights_sha256,
        "dimension": vectors.shape[1],
        "precision": settings.precision,
        "chunk_size": settings.chunk_size,
        "chunk_overlap": settings.chunk_overlap,
        "min_chunk_size": settings.min_chunk_size,
        "max_noise_ratio": settings.max_noise_ratio,
        "headings": settings.headings,
        "max_tokens": settings.max_tokens or model.max_tokens,
        "truncated_tokens": chunked.truncated,
        "documents": len(documents),
        "noise_characters": sum(chunked.left_out.values()),
        "left_out": chunked.left_out,
    }
    write_embeddings(chunked.rows, vectors, meta, output, samples)
    return EmbedResult(
        output.as_posix(),
        len(documents),
        len(chunked.rows),
        embedded,
        len(chunked.rows) - embedded,
        chunked.truncated,
        vectors.shape[1],
        settings.precision,
        engine,
    )


def _vectors(
    rows: Sequence[Row], model: Model, settings: EmbedSettings, folder: Path | None
) -> tuple[Vectors, str, int]:
    """Return the vectors of the rows, the engine that made new ones, and the number of rows with new ones."""
    made_by = {"model": model.name, "files": model.files_sha256, "precision": settings.precision}
    if settings.precision != "float32":  # for which all backends agree to 1e-6
        made_by["backend"] = backend(settings)
    cache = VectorCache(folder, made_by)
    keys = [vector_key(row.model_input) for row in rows]
    known = cache.get(keys)
    new = {key: row for key, row in zip(keys, rows, strict=True) if key not in known}
    engine = choose_engine(settings, len(new)) if new else "none"
    if new:
        _embed_new(list(new.items()), model, settings, folder, engine, cache, known)
    dimensions = {len(vector) for vector in known.values()}
    if len(dimensions) > 1:
        fix = "delete the cache"
        raise SchemaMismatch(folder or "vectors", f"the cache has vectors of dimensions {sorted(dimensions)}", fix)
    return np.stack([known[key] for key in keys]), engine, sum(key in new for key in keys)


def _embed_new(
    new: list[tuple[bytes, Row]],
    model: Model,
    settings: EmbedSettings,
    folder: Path | None,
    engine: str,
    cache: VectorCache,
    known: dict[bytes, npt.NDArray[np.float32]],
) -> None:
    """Embed rows and add their vectors, by key, to ``known`` and to the cache."""
    texts = [row.ids for _, row in new]
    batches = token_batches([len(ids) for ids in texts], settings.batch_tokens)
    uncached: list[bytes] = []
    with (
        closing(run_batches(engine, model, settings, folder, texts, batches)) as results,
        progress("embedding", sum(map(len, texts)), "tokens") as advance,  # after the log lines of loading the model
    ):
        for number, vectors in results:
            batch = batches[number]
            check_vectors(vectors, [new[index][1].where for index in batch])
            keys = [new[index][0] for index in batch]
            known.update(zip(keys, vectors, strict=True))
            uncached += keys
            advance(sum(len(texts[index]) for index in batch))
            if len(uncached) >= CACHE_EVERY:
                cache.put(uncached, np.stack([known[key] for key in uncached]))
                uncached = []
    if uncached:
        cache.put(uncached, np.stack([known[key] for key in uncached]))


def check_vectors(vectors: Vectors, names: Sequence[str]) -> None:
    """Raise SchemaMismatch, with the name of the first invalid one, unless all vectors are finite and not zero."""
    if vectors.ndim != 2 or len(vectors) != len(names) or not vectors.shape[1]:
        what = f"expected {len(names)} vectors, got an array of shape {vectors.shape}"
        raise SchemaMismatch(names[0] if names else "vectors", what, "use another model")
    for invalid, what in (
        (~np.isfinite(vectors).all(axis=1), "vector contains NaN or infinity"),
        (~vectors.any(axis=1), "vector is zero, so no cosine search finds it"),
    ):
        if invalid.any():
            raise SchemaMismatch(names[int(np.argmax(invalid))], what, "set precision: float32, or use another model")
