"""Cut all documents into the rows of ``embeddings.parquet``, all but their vectors."""

import collections
import dataclasses
import logging
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stage.errors import EmptyInput, SchemaMismatch

from chunk_embed.chunks import Chunk, ChunkSettings, chunk_document, embedded_text, left_out, left_out_characters
from chunk_embed.cuts_kept import CutCache, CutDocument
from chunk_embed.documents import Document
from chunk_embed.tokens import Tokens

log = logging.getLogger(__name__)
NAMESPACE: Final = uuid.UUID("3d3f9c0e-5b0a-5c59-9d2e-6f6b2f0f7a11")  # of our ids; any would do, and none may follow it


@dataclasses.dataclass(frozen=True)
class Row:
    """A chunk, where it comes from, what the model is given of it, and how many tokens the chunk has itself."""

    document: Document
    index: int
    chunk: Chunk
    given: str
    ids: list[int]
    tokens: int

    @property
    def id(self) -> str:
        """The same document and place give the same id, whatever the model or the machine."""
        return str(uuid.uuid5(NAMESPACE, f"{self.document.doc_id}:{self.index}"))

    @property
    def where(self) -> str:
        """Name the chunk to a person."""
        return f"{self.document.name} chunk {self.index}"


@dataclasses.dataclass(frozen=True)
class Cut:
    """All rows in order, how many tokens the model would not see, and how many characters are in no chunk, by kind."""

    rows: list[Row]
    truncated: int
    left_out: dict[str, int]


def cut_documents(
    documents: Sequence[Document], settings: ChunkSettings, tokens: Tokens, cache: Path | None = None
) -> Cut:
    """Cut documents into chunks that the model takes whole; ``cache`` is a folder that keeps how.

    Raises EmptyInput where there is nothing to embed, SchemaMismatch for a chunk that the model would cut.
    """
    decisive = {field.name: getattr(settings, field.name) for field in dataclasses.fields(ChunkSettings)}
    kept = CutCache(cache, {**decisive, **tokens.made_by})
    known = kept.get()
    found = {each.doc_id: known.get(each.doc_id) or _cut(each, settings, tokens) for each in documents}
    rows = [
        Row(document, index, *row) for document in documents for index, row in enumerate(found[document.doc_id].chunks)
    ]
    _report_left_out(documents, found, settings)
    if not rows:
        raise EmptyInput("documents", "no text in any of them", "see with -v what is left out; add documents with text")
    truncated = sum(max(0, len(row.ids) - tokens.most) for row in rows)
    if truncated:
        worst = max(rows, key=lambda row: len(row.ids))
        what = f"{len(worst.ids)} tokens, and the model takes {tokens.most}"
        raise SchemaMismatch(worst.where, what, "lower chunk-size")
    if {doc_id for doc_id, each in found.items() if each.chunks} != known.keys():
        kept.put(found)
    counts: collections.Counter[str] = collections.Counter()
    for document in documents:
        counts.update(found[document.doc_id].left_out)
    return Cut(rows, truncated, dict(sorted(counts.items())))


def _report_left_out(documents: Sequence[Document], found: dict[str, CutDocument], settings: ChunkSettings) -> None:
    for document in documents:
        if not found[document.doc_id].chunks:
            log.warning("%s: has no text, so it has no chunk", document.name)
        for part in left_out(document.text, settings) if log.isEnabledFor(logging.DEBUG) else ():
            text = " ".join(part.text.split())
            log.debug("%s@%d: left out (%s): %.200s", document.name, part.start, part.kind, text)


def _cut(document: Document, settings: ChunkSettings, tokens: Tokens) -> CutDocument:
    chunks = chunk_document(document.text, settings, tokens.fits)
    given = [(chunk, embedded_text(chunk)) for chunk in chunks]
    rows = [(chunk, text, tokens.ids(text), tokens.count(chunk.text)) for chunk, text in given]
    return CutDocument(rows, left_out_characters(document.text, settings))
