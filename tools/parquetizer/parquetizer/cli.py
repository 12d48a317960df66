"""The command line of the parquetizer: commands import what they run, as Arrow and decoders are slow to load."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from stage.command import Tool
from stage.errors import UsageError
from stage.options import params_file

F = TypeVar("F", bound=Callable[..., Any])

cli = Tool("parquetizer", help="Convert raw files into training-ready ones, with a manifest of all samples.")

folder = click.Path(path_type=Path)
writable = click.Path(dir_okay=False, path_type=Path)
raw = click.argument("raw", type=folder)


def conversion(optional: bool = False) -> Callable[[F], click.Command]:
    """Return the decorator of a command with the arguments RAW, OUTPUT and SAMPLES, which may be ``optional``."""

    def decorated(function: F) -> click.Command:
        output = click.argument("output", type=folder)
        samples = click.argument("samples", type=writable, required=not optional)
        return cli.command()(raw(output(samples(function))))

    return decorated


def use_system_memory() -> None:
    """Let Arrow return memory sooner: a third less at the peak."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())


@conversion(optional=True)
@params_file("parquetizer")
def table(raw: Path, output: Path, samples: Path | None, params: Path) -> object:
    """Convert the files in RAW into the table OUTPUT (.csv or .parquet), or into splits in the folder OUTPUT.

    CSV, JSON, Parquet or Arrow, compressed or in archives. With SAMPLES, also write the sample manifest. Columns and
    types are declared in dataset.columns of the params file, raw files, their format and splits in its section
    parquetizer; nothing is inferred, and a row that does not match is an error. Splits are
    OUTPUT/<split>/<split>.parquet; the folder is replaced as a whole.

    \b
    Examples:
      parquetizer table --params params.yaml raw processed/wine-quality.csv samples.parquet
      parquetizer table --params params.yaml raw processed samples.parquet
    """
    from parquetizer.kinds.table import parquetize_table, parquetize_table_splits
    from parquetizer.kinds.table_settings import TableSettings

    use_system_memory()
    settings = TableSettings.read(params)
    if output.suffix:
        return parquetize_table(raw, output, samples, settings)
    if samples is None:
        raise UsageError("SAMPLES", "missing argument", "name the manifest of the splits, such as samples.parquet")
    return parquetize_table_splits(raw, output, samples, settings)


@conversion()
@params_file("parquetizer")
def idx(raw: Path, output: Path, samples: Path, params: Path) -> object:
    """Convert the IDX files in RAW into the folder OUTPUT and the manifest SAMPLES.

    Images and labels (the format of MNIST, plain or gzip) become OUTPUT/<split>/<split>.parquet, with the images as
    lists of lists of bytes. The files of each split are declared in the section parquetizer of the params file, shape
    and classes in dataset.columns. OUTPUT is replaced as a whole.

    \b
    Example:
      parquetizer idx --params params.yaml raw processed samples.parquet
    """
    from parquetizer.kinds.idx import IdxSettings, parquetize_idx

    use_system_memory()
    return parquetize_idx(raw, output, samples, IdxSettings.read(params))


@conversion()
@params_file("parquetizer")
def text(raw: Path, output: Path, samples: Path, params: Path) -> object:
    """Convert the labelled texts in RAW into the folder OUTPUT and the manifest SAMPLES.

    Lines of text and label, CSV, JSON lines or Parquet become OUTPUT/<split>/<split>.parquet with the string columns
    text and label. Format, fields and splits are declared in the section parquetizer of the params file, the labels in
    dataset.columns; a row that does not match is an error. OUTPUT is replaced as a whole.

    \b
    Example:
      parquetizer text --params params.yaml raw processed samples.parquet
    """
    from parquetizer.kinds.text import parquetize_text
    from parquetizer.kinds.text_settings import TextSettings

    use_system_memory()
    return parquetize_text(raw, output, samples, TextSettings.read(params))


@conversion()
@click.option("--prompt", type=writable, required=True, help="File with the text of the pinned prompt.")
@params_file("parquetizer")
def conversations(raw: Path, output: Path, samples: Path, prompt: Path, params: Path) -> object:
    """Convert the captioned JPEG images in RAW into the folder OUTPUT and the manifest SAMPLES.

    Each image becomes a conversation in the format of Qwen-VL: the prompt asks, the caption answers. OUTPUT has, per
    split, <split>/annotations.json and <split>/images, and process_stats.json. The splits, and the SHA-256 of the
    prompt, are declared in the section parquetizer of the params file. OUTPUT is replaced as a whole.

    \b
    Example:
      parquetizer conversations --params params.yaml --prompt prompt.txt \\
        raw processed samples.parquet
    """
    from parquetizer.kinds.conversations import parquetize_conversations
    from parquetizer.kinds.conversations_settings import ConversationsSettings

    use_system_memory()
    return parquetize_conversations(raw, prompt, output, samples, ConversationsSettings.read(params))


@cli.command()
@raw
@click.argument("samples", type=writable)
@params_file("parquetizer")
def documents(raw: Path, samples: Path, params: Path) -> object:
    """Write the manifest SAMPLES of the text files in RAW, each of which is a sample.

    The files themselves are the dataset; they must be UTF-8 text and not empty.

    \b
    Example:
      parquetizer documents --params params.yaml raw samples.parquet
    """
    from parquetizer.kinds.documents import DocumentsSettings, list_documents

    return list_documents(raw, samples, DocumentsSettings.read(params))


@conversion()
@params_file("parquetizer")
def files(raw: Path, output: Path, samples: Path, params: Path) -> object:
    """Convert the images, audio or other files in RAW into the folder OUTPUT and the manifest SAMPLES.

    Each file is a sample: its bytes become OUTPUT/<split>/<split>.parquet, as Hugging Face's datasets reads images and
    audio, with its class (the name of its folder) or the columns of a metadata file. Files may be in archives. Every
    image and sound is decoded completely, and its bytes are kept. The patterns of the files, and where labels and
    splits come from, are declared in the section parquetizer of the params file, the columns in dataset.columns.
    OUTPUT is replaced as a whole.

    \b
    Example:
      parquetizer files --params params.yaml raw processed samples.parquet
    """
    from parquetizer.kinds.files import parquetize_files
    from parquetizer.kinds.files_settings import FilesSettings

    return parquetize_files(raw, output, samples, FilesSettings.read(params))


@cli.command()
@raw
def inspect(raw: Path) -> object:
    """Read all files in RAW, and propose how to make a dataset of them.

    Prints the kind of the data, the columns with their types, and the settings of the section parquetizer, each with
    the reason. Tables, images and audio, and documents are recognised. Nothing is written.

    \b
    Example:
      parquetizer inspect raw
    """
    from parquetizer.inspect.inspection import inspect_raw

    use_system_memory()
    return inspect_raw(raw)
