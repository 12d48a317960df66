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

cli = Tool("parquetizer", help="Convert raw files into training-ready ones, with a manifest of all samples.")

folder = click.Path(path_type=Path)
writable = click.Path(dir_okay=False, path_type=Path)


@cli.command()
@click.argument("raw", type=folder)
@click.argument("output", type=writable)
@click.argument("samples", type=writable, required=False)
@params_file("parquetizer")
@talk
def table(raw: Path, output: Path, samples: Path | None, params: Path) -> TableResult:
    """Convert the CSV files in RAW into the table OUTPUT (.csv or .parquet).

    With SAMPLES, also write the sample manifest. Columns and types are declared in dataset.columns of the params file,
    raw files and their dialect in its section parquetizer; nothing is inferred, and a row that does not match is an
    error.

    \b
    Example:
      parquetizer table --params params.yaml raw processed/wine-quality.csv samples.parquet
    """
    pa.set_memory_pool(pa.system_memory_pool())  # returns memory sooner: a third less at the peak
    return parquetize_table(raw, output, samples, TableSettings.read(params))


@cli.command()
@click.argument("raw", type=folder)
@click.argument("output", type=folder)
@click.argument("samples", type=writable)
@params_file("parquetizer")
@talk
def idx(raw: Path, output: Path, samples: Path, params: Path) -> SplitsResult:
    """Convert the IDX files in RAW into the folder OUTPUT and the manifest SAMPLES.

    Images and labels (the format of MNIST, plain or gzip) become OUTPUT/<split>/<split>.parquet, with the images as
    lists of lists of bytes. The files of each split are declared in the section parquetizer of the params file, shape
    and classes in dataset.columns. OUTPUT is replaced as a whole.

    \b
    Example:
      parquetizer idx --params params.yaml raw processed samples.parquet
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
    """Convert the labelled texts in RAW into the folder OUTPUT and the manifest SAMPLES.

    Lines of text and label, CSV, JSON lines or Parquet become OUTPUT/<split>/<split>.parquet with the string columns
    text and label. Format, fields and splits are declared in the section parquetizer of the params file, the labels in
    dataset.columns; a row that does not match is an error. OUTPUT is replaced as a whole.

    \b
    Example:
      parquetizer text --params params.yaml raw processed samples.parquet
    """
    pa.set_memory_pool(pa.system_memory_pool())
    return parquetize_text(raw, output, samples, TextSettings.read(params))


@cli.command()
@click.argument("raw", type=folder)
@click.argument("output", type=folder)
@click.argument("samples", type=writable)
@click.option("--prompt", type=writable, required=True, help="File with the text of the pinned prompt.")
@params_file("parquetizer")
@talk
def conversations(raw: Path, output: Path, samples: Path, prompt: Path, params: Path) -> SplitsResult:
    """Convert the captioned JPEG images in RAW into the folder OUTPUT and the manifest SAMPLES.

    Each image becomes a conversation in the format of Qwen-VL: the prompt asks, the caption answers. OUTPUT has, per
    split, <split>/annotations.json and <split>/images, and process_stats.json. The splits, and the SHA-256 of the
    prompt, are declared in the section parquetizer of the params file. OUTPUT is replaced as a whole.

    \b
    Example:
      parquetizer conversations --params params.yaml --prompt prompt.txt \\
        raw processed samples.parquet
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

    The files themselves are the dataset; they must be UTF-8 text and not empty.

    \b
    Example:
      parquetizer documents --params params.yaml raw samples.parquet
    """
    return list_documents(raw, samples, DocumentsSettings.read(params))
