"""Split documents into chunks and embed them."""

from chunk_embed.chunks import Chunk, ChunkSettings, chunk_document, model_input
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
    "model_input",
]
