"""Embed documents: cut, look up what is known, embed the rest, check, write."""

import dataclasses
import logging
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from stage.errors import SchemaMismatch

from chunk_embed.batches import token_batches
from chunk_embed.cache import VectorCache, key_of
from chunk_embed.documents import read_documents
from chunk_embed.encoders import backend
from chunk_embed.engines import choose_engine, run_batches
from chunk_embed.model import Model, find_model
from chunk_embed.pace import pace
from chunk_embed.release import Release
from chunk_embed.rows import Row, cut_documents
from chunk_embed.settings import EmbedSettings
from chunk_embed.tensors import Vectors
from chunk_embed.tokens import document_tokens
from chunk_embed.writing import write_embeddings

log = logging.getLogger(__name__)
KEPT_EVERY: Final = 4096  # chunks: as many a run that is killed may have to embed again


@dataclasses.dataclass(frozen=True)
class EmbedResult:
    """What was written, and how much of it was embedded now."""

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

    ``cache`` is a folder that keeps chunks and vectors from run to run. Raises what reading documents, finding the
    model and cutting do, and SchemaMismatch for a vector that no index could use.
    """
    parent = Release.read(release)
    documents = read_documents(raw)
    model = find_model(settings, cache)
    cut = cut_documents(documents, settings, document_tokens(model, settings), cache)
    log.info("%d documents, %d chunks", len(documents), len(cut.rows))
    vectors, engine, embedded = _vectors(cut.rows, model, settings, cache)
    check_vectors(vectors, [row.where for row in cut.rows])
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
        "truncated_tokens": cut.truncated,
        "documents": len(documents),
        "noise_characters": sum(cut.left_out.values()),
        "left_out": cut.left_out,
    }
    write_embeddings(cut.rows, vectors, meta, output, samples)
    return EmbedResult(
        output.as_posix(),
        len(documents),
        len(cut.rows),
        embedded,
        len(cut.rows) - embedded,
        cut.truncated,
        vectors.shape[1],
        settings.precision,
        engine,
    )


def _vectors(
    rows: Sequence[Row], model: Model, settings: EmbedSettings, folder: Path | None
) -> tuple[Vectors, str, int]:
    """Return the vectors of the rows, the engine that made the new ones, and of how many rows they are."""
    made_by = {"model": model.name, "files": model.files_sha256, "precision": settings.precision}
    if settings.precision != "float32":  # there, all agree to 1e-6
        made_by["backend"] = backend(settings)
    cache = VectorCache(folder, made_by)
    keys = [key_of(row.given) for row in rows]
    known = cache.get(keys)
    new = {key: row for key, row in zip(keys, rows, strict=True) if key not in known}
    engine = choose_engine(settings, len(new)) if new else "none"
    if new:
        _embed_new(list(new.items()), model, settings, folder, engine, cache, known)
    dimensions = {len(vector) for vector in known.values()}
    if len(dimensions) > 1:
        raise SchemaMismatch(folder or "vectors", f"dimensions {sorted(dimensions)}", "remove the cache")
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
    """Embed rows and add their vectors, by key, to what is known and to the cache."""
    texts = [row.ids for _, row in new]
    batches = token_batches([len(ids) for ids in texts], settings.batch_tokens)
    waiting: list[bytes] = []
    with (
        closing(run_batches(engine, model, settings, folder, texts, batches)) as done,
        pace(len(new), sum(map(len, texts))) as advance,  # after what loading the model says
    ):
        for number, vectors in done:
            places = batches[number]
            check_vectors(vectors, [new[place][1].where for place in places])
            known.update(zip((new[place][0] for place in places), vectors, strict=True))
            waiting += (new[place][0] for place in places)
            advance(len(places), sum(len(texts[place]) for place in places))
            if len(waiting) >= KEPT_EVERY:
                cache.put(waiting, np.stack([known[key] for key in waiting]))
                waiting = []
    if waiting:
        cache.put(waiting, np.stack([known[key] for key in waiting]))


def check_vectors(vectors: Vectors, names: Sequence[str]) -> None:
    """Raise SchemaMismatch, naming the first, where vectors are not one for each name, finite and other than zero."""
    if vectors.ndim != 2 or len(vectors) != len(names) or not vectors.shape[1]:
        what = f"the model gave vectors of shape {vectors.shape} for {len(names)} chunks"
        raise SchemaMismatch(names[0] if names else "vectors", what, "use another model")
    for fault, what in (
        (~np.isfinite(vectors).all(axis=1), "the vector has numbers that are not finite"),
        (~vectors.any(axis=1), "the vector is zero, and no search would find it"),
    ):
        if fault.any():
            raise SchemaMismatch(names[int(np.argmax(fault))], what, "set precision: float32, or use another model")
