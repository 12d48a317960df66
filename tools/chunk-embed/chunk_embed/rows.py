"""Split all documents into the rows of ``embeddings.parquet``, without their vectors."""

import collections
import dataclasses
import logging
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stage.errors import EmptyInput, SchemaMismatch

from chunk_embed.chunk_cache import ChunkCache, ChunkedDocument
from chunk_embed.chunks import Chunk, ChunkSettings, chunk_document, left_out, left_out_characters, model_input
from chunk_embed.documents import Document
from chunk_embed.tokens import Tokens

log = logging.getLogger(__name__)
NAMESPACE: Final = uuid.UUID("3d3f9c0e-5b0a-5c59-9d2e-6f6b2f0f7a11")  # of chunk ids; must never change


@dataclasses.dataclass(frozen=True)
class Row:
    """A chunk, its document and place, the model input with the ids of its tokens, and the token count of the chunk."""

    document: Document
    index: int
    chunk: Chunk
    model_input: str
    ids: list[int]
    tokens: int

    @property
    def id(self) -> str:
        """The id, which depends on the content of the document and the place only."""
        return str(uuid.uuid5(NAMESPACE, f"{self.document.doc_id}:{self.index}"))

    @property
    def where(self) -> str:
        """The place of the chunk, for messages."""
        return f"{self.document.name} chunk {self.index}"


@dataclasses.dataclass(frozen=True)
class ChunkedDocuments:
    """All rows in order, the number of truncated tokens, and the number of characters in no chunk, by kind."""

    rows: list[Row]
    truncated: int
    left_out: dict[str, int]


def chunk_documents(
    documents: Sequence[Document], settings: ChunkSettings, tokens: Tokens, cache: Path | None = None
) -> ChunkedDocuments:
    """Split documents into chunks that the model does not truncate; ``cache`` is a folder for the result.

    Raises EmptyInput if there are no chunks, SchemaMismatch for a chunk that the model would truncate.
    """
    sizes = {field.name: getattr(settings, field.name) for field in dataclasses.fields(ChunkSettings)}
    chunk_cache = ChunkCache(cache, {**sizes, **tokens.made_by})
    known = chunk_cache.get()
    chunked = {
        document.doc_id: known.get(document.doc_id) or _chunk(document, settings, tokens) for document in documents
    }
    rows = [
        Row(document, index, *row)
        for document in documents
        for index, row in enumerate(chunked[document.doc_id].chunks)
    ]
    _log_left_out(documents, chunked, settings)
    if not rows:
        raise EmptyInput("documents", "no text found", "see what is left out with -v; add documents with text")
    truncated = sum(max(0, len(row.ids) - tokens.maximum) for row in rows)
    if truncated:
        longest = max(rows, key=lambda row: len(row.ids))
        what = f"has {len(longest.ids)} tokens, more than the {tokens.maximum} that the model takes"
        raise SchemaMismatch(longest.where, what, "lower chunk-size")
    if {doc_id for doc_id, document in chunked.items() if document.chunks} != known.keys():
        chunk_cache.put(chunked)
    counts: collections.Counter[str] = collections.Counter()
    for document in documents:
        counts.update(chunked[document.doc_id].left_out)
    return ChunkedDocuments(rows, truncated, dict(sorted(counts.items())))


def _log_left_out(documents: Sequence[Document], chunked: dict[str, ChunkedDocument], settings: ChunkSettings) -> None:
    for document in documents:
        if not chunked[document.doc_id].chunks:
            log.warning("%s: no text found, so no chunk", document.name)
        for part in left_out(document.text, settings) if log.isEnabledFor(logging.DEBUG) else ():
            text = " ".join(part.text.split())
            log.debug("%s@%d: left out (%s): %.200s", document.name, part.start, part.kind, text)


def _chunk(document: Document, settings: ChunkSettings, tokens: Tokens) -> ChunkedDocument:
    chunks = chunk_document(document.text, settings, tokens.fits)
    inputs = [(chunk, model_input(chunk.text, chunk.context)) for chunk in chunks]
    rows = [(chunk, text, tokens.ids(text), tokens.count(chunk.text)) for chunk, text in inputs]
    return ChunkedDocument(rows, left_out_characters(document.text, settings))
