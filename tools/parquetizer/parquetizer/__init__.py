"""Convert raw files into training-ready ones, with a manifest of all samples."""

from samples import Column

from parquetizer.conversations import parquetize_conversations
from parquetizer.conversations_settings import ConversationsSettings, Prompt
from parquetizer.documents import DocumentsResult, DocumentsSettings, list_documents
from parquetizer.idx import IdxInput, IdxSettings, parquetize_idx
from parquetizer.split_files import SplitsResult
from parquetizer.table import TableResult, parquetize_table
from parquetizer.table_settings import Input, TableSettings
from parquetizer.text import parquetize_text
from parquetizer.text_settings import TextInput, TextSettings

__all__ = [
    "Column",
    "ConversationsSettings",
    "DocumentsResult",
    "DocumentsSettings",
    "IdxInput",
    "IdxSettings",
    "Input",
    "Prompt",
    "SplitsResult",
    "TableResult",
    "TableSettings",
    "TextInput",
    "TextSettings",
    "list_documents",
    "parquetize_conversations",
    "parquetize_idx",
    "parquetize_table",
    "parquetize_text",
]
