"""Embed questions, with the same model as the chunks they are to find."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from stage.errors import BadRows

from chunk_embed.batches import token_batches
from chunk_embed.embedding import check_vectors
from chunk_embed.engines import run_batches
from chunk_embed.model import find_model
from chunk_embed.settings import EmbedSettings
from chunk_embed.tokens import query_tokens


@dataclasses.dataclass(frozen=True)
class QueryResult:
    """The vectors of questions, and the model that they are of."""

    embedding_model: str
    revision: str
    embeddings: list[list[float]]


def embed_queries(texts: Sequence[str], settings: EmbedSettings, cache: Path | None = None) -> QueryResult:
    """Return the vectors of questions, in their order. Raises BadRows for one that is empty or that the model cuts."""
    model = find_model(settings, cache)
    tokens = query_tokens(model, settings)
    ids = []
    for number, text in enumerate(texts, 1):
        if not text.strip():
            raise BadRows(f"question {number}", "is empty", "write what to look for")
        ids.append(tokens.ids(text))
        if len(ids[-1]) > tokens.most:
            what = f"is {len(ids[-1])} tokens, and the model takes {tokens.most}"
            raise BadRows(f"question {number}", what, "shorten it")
    batches = token_batches([len(each) for each in ids], settings.batch_tokens)
    found: dict[int, list[float]] = {}
    for number, vectors in run_batches("local", model, settings, cache, ids, batches):
        check_vectors(vectors, [f"question {place + 1}" for place in batches[number]])
        found.update(zip(batches[number], vectors.tolist(), strict=True))
    return QueryResult(model.name, model.revision, [found[place] for place in range(len(texts))])
