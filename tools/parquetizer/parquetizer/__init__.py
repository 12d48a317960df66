"""Convert raw files into training-ready ones, with a manifest of all samples."""

from samples import Column

from parquetizer.kinds.conversations import parquetize_conversations
from parquetizer.kinds.conversations_settings import ConversationsSettings, Prompt
from parquetizer.kinds.documents import DocumentsResult, DocumentsSettings, list_documents
from parquetizer.kinds.files import FilesResult, parquetize_files
from parquetizer.kinds.files_settings import FilesInput, FilesSettings
from parquetizer.kinds.idx import IdxInput, IdxSettings, parquetize_idx
from parquetizer.kinds.table import TableResult, parquetize_table, parquetize_table_splits
from parquetizer.kinds.table_settings import Input, TableSettings
from parquetizer.kinds.text import parquetize_text
from parquetizer.kinds.text_settings import TextInput, TextSettings
from parquetizer.split_files import SplitsResult

__all__ = [
    "Column",
    "ConversationsSettings",
    "DocumentsResult",
    "DocumentsSettings",
    "FilesInput",
    "FilesResult",
    "FilesSettings",
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
    "parquetize_files",
    "parquetize_idx",
    "parquetize_table",
    "parquetize_table_splits",
    "parquetize_text",
]
