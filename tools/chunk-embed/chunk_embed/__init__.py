"""Embed documents in chunks that the model takes whole."""

from chunk_embed.chunks import Chunk, ChunkSettings, chunk_document, embedded_text
from chunk_embed.embedding import EmbedResult, embed_documents
from chunk_embed.querying import QueryResult, embed_queries
from chunk_embed.settings import EmbedSettings

__all__ = [
    "Chunk",
    "ChunkSettings",
    "EmbedResult",
    "EmbedSettings",
    "QueryResult",
    "chunk_document",
    "embed_documents",
    "embed_queries",
    "embedded_text",
]
