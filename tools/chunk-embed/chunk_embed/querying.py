"""Embed queries with the model of the chunks."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from stage.errors import BadRows

from chunk_embed.embedding import check_vectors
from chunk_embed.engines import run_batches, token_batches
from chunk_embed.model import find_model
from chunk_embed.settings import EmbedSettings
from chunk_embed.tokens import query_tokens


@dataclasses.dataclass(frozen=True)
class QueryResult:
    """The vectors of queries, and their model."""

    embedding_model: str
    revision: str
    embeddings: list[list[float]]


def embed_queries(texts: Sequence[str], settings: EmbedSettings, cache: Path | None = None) -> QueryResult:
    """Return the vectors of queries in their order. Raises BadRows for an empty one, or one with too many tokens."""
    model = find_model(settings, cache)
    tokens = query_tokens(model, settings)
    ids = []
    for number, text in enumerate(texts, 1):
        if not text.strip():
            raise BadRows(f"query {number}", "is empty", "remove it, or write a query")
        ids.append(tokens.ids(text))
        if len(ids[-1]) > tokens.maximum:
            what = f"has {len(ids[-1])} tokens, more than the {tokens.maximum} that the model takes"
            raise BadRows(f"query {number}", what, "shorten it")
    batches = token_batches([len(token_ids) for token_ids in ids], settings.batch_tokens)
    embeddings: dict[int, list[float]] = {}
    for number, vectors in run_batches("local", model, settings, cache, ids, batches):
        check_vectors(vectors, [f"query {index + 1}" for index in batches[number]])
        embeddings.update(zip(batches[number], vectors.tolist(), strict=True))
    return QueryResult(model.name, model.revision, [embeddings[index] for index in range(len(texts))])
