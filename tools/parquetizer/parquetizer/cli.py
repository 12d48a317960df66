"""The command line of the parquetizer."""

from pathlib import Path

import click
import pyarrow as pa
from stage.command import Tool
from stage.options import params_file, talk

from parquetizer.conversations import parquetize_conversations
from parquetizer.conversations_settings import ConversationsSettings
from parquetizer.documents import DocumentsResult, DocumentsSettings, list_documents
from parquetizer.idx import IdxSettings, parquetize_idx
from parquetizer.split_files import SplitsResult
from parquetizer.table import TableResult, parquetize_table
from parquetizer.table_settings import TableSettings
from parquetizer.text import parquetize_text
from parquetizer.text_settings import TextSettings

cli = Tool("parquetizer", help="Turn raw files into training-ready ones, with a manifest of every sample.")

folder = click.Path(path_type=Path)
writable = click.Path(dir_okay=False, path_type=Path)


@cli.command()
@click.argument("raw", type=folder)
@click.argument("output", type=writable)
@click.argument("samples", type=writable, required=False)
@params_file("parquetizer")
@talk
def table(raw: Path, output: Path, samples: Path | None, params: Path) -> TableResult:
    """Write the table OUTPUT (.csv or .parquet) from the CSV files in RAW.

    With SAMPLES, write the sample manifest there too. Columns and their types are declared in dataset.columns, the
    files and their dialect in the section parquetizer; nothing is guessed, and a row that does not fit is an error.
    """
    pa.set_memory_pool(pa.system_memory_pool())  # gives memory back sooner: a third less at the peak
    return parquetize_table(raw, output, samples, TableSettings.read(params))


@cli.command()
@click.argument("raw", type=folder)
@click.argument("output", type=folder)
@click.argument("samples", type=writable)
@params_file("parquetizer")
@talk
def idx(raw: Path, output: Path, samples: Path, params: Path) -> SplitsResult:
    """Write the folder OUTPUT and the manifest SAMPLES from the IDX files in RAW.

    Images and labels (MNIST's format, plain or gzip) become OUTPUT/<split>/<split>.parquet, with the images as lists of
    lists of bytes. Which files make which split is declared in the section parquetizer, shape and classes in
    dataset.columns. OUTPUT is replaced as a whole.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    return parquetize_idx(raw, output, samples, IdxSettings.read(params))


@cli.command()
@click.argument("raw", type=folder)
@click.argument("output", type=folder)
@click.argument("samples", type=writable)
@params_file("parquetizer")
@talk
def text(raw: Path, output: Path, samples: Path, params: Path) -> SplitsResult:
    """Write the folder OUTPUT and the manifest SAMPLES from the labelled texts in RAW.

    Lines of text and label, CSV, JSON lines or Parquet become OUTPUT/<split>/<split>.parquet with text and label, both
    strings. Format, fields and splits are declared in the section parquetizer, the labels in dataset.columns; what does
    not fit is an error. OUTPUT is replaced as a whole.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    return parquetize_text(raw, output, samples, TextSettings.read(params))


@cli.command()
@click.argument("raw", type=folder)
@click.argument("output", type=folder)
@click.argument("samples", type=writable)
@click.option("--prompt", type=writable, required=True, help="The file that holds the pinned prompt's text.")
@params_file("parquetizer")
@talk
def conversations(raw: Path, output: Path, samples: Path, prompt: Path, params: Path) -> SplitsResult:
    """Write the folder OUTPUT and the manifest SAMPLES from the captioned JPEG images in RAW.

    Each image becomes a conversation in the format of Qwen-VL: the prompt asks, the caption answers. OUTPUT gets, for
    each split, <split>/annotations.json and <split>/images, and process_stats.json. Splits, and the prompt by its
    SHA-256, are declared in the section parquetizer. OUTPUT is replaced as a whole.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    return parquetize_conversations(raw, prompt, output, samples, ConversationsSettings.read(params))


@cli.command()
@click.argument("raw", type=folder)
@click.argument("samples", type=writable)
@params_file("parquetizer")
@talk
def documents(raw: Path, samples: Path, params: Path) -> DocumentsResult:
    """Write the manifest SAMPLES of the text files in RAW, each of which is a sample.

    The files themselves are the data set; they must be UTF-8 text and not empty.
    """
    return list_documents(raw, samples, DocumentsSettings.read(params))
