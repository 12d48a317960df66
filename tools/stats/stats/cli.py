"""The command line of stats."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import pyarrow as pa
from stage.command import Tool
from stage.options import FILE, params_file
from stage.params import build, section

from stats.conversations import summarise_conversations
from stats.documents import summarise_documents
from stats.embeddings import summarise_embeddings
from stats.images import summarise_images
from stats.media import MEDIA
from stats.provenance import read_parent_provenance, read_provenance
from stats.report import Summary
from stats.settings import Dataset, SplitRules, TableStats
from stats.table import summarise_table
from stats.table_splits import summarise_table_splits
from stats.text import summarise_text

cli = Tool("stats", help="Measure a processed dataset into metadata.json.")

F = TypeVar("F", bound=Callable[..., Any])
path = click.Path(dir_okay=False, path_type=Path)
folder = click.Path(file_okay=False, path_type=Path)


def parse_tools(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return the images by tool of NAME=IMAGE values."""
    if invalid := [value for value in values if "=" not in value]:
        raise click.BadParameter(f"expected NAME=IMAGE, got {invalid[0]!r}")
    return dict(value.split("=", 1) for value in values)


TOOLS = click.option(
    "--tool",
    "tools",
    multiple=True,
    metavar="NAME=IMAGE",
    callback=parse_tools,
    help="Image of a tool that made the data (repeatable).",
)


def inputs(command: F) -> F:
    """Add the arguments and options of all commands but embeddings."""
    sources = click.option("--sources", type=FILE, required=True, help="The sources.csv of the raw files.")
    samples, metadata = click.argument("samples", type=path), click.argument("metadata", type=path)
    return samples(metadata(sources(TOOLS(params_file("stats")(command)))))


def read_dataset(params: Path) -> Dataset:
    """Read the section dataset of a params file."""
    return build(Dataset, section(params, "dataset"), f"{params} dataset")


def read_split_rules(params: Path) -> SplitRules:
    """Read what the section parquetizer says of splits."""
    given = {key: value for key, value in section(params, "parquetizer").items() if key in ("splits", "group")}
    return build(SplitRules, given, f"{params} parquetizer")


@cli.command()
@click.argument("table", type=click.Path(path_type=Path))
@inputs
def table(table: Path, samples: Path, metadata: Path, sources: Path, tools: dict[str, str], params: Path) -> Summary:
    """Measure the CSV or Parquet file TABLE with its manifest SAMPLES, and write METADATA.

    TABLE may be a folder with a file per split: each split is measured, and samples, groups and contents that are in
    two splits are reported. Duplicates, missing and non-finite values are warnings, not errors.

    \b
    Example:
      stats table --params params.yaml --sources sources.csv \\
        processed/wine-quality.csv samples.parquet metadata.json
    """
    settings = build(TableStats, section(params, "stats"), f"{params} stats")
    dataset, provenance = read_dataset(params), read_provenance(sources, params, tools)
    if not any(column.type in (*MEDIA, "binary") for column in dataset.columns):
        pa.set_memory_pool(pa.system_memory_pool())  # returns memory sooner, but large values would fragment it
    if table.is_dir():
        rules = read_split_rules(params)
        return summarise_table_splits(table, samples, metadata, dataset, settings, rules, provenance)
    return summarise_table(table, samples, metadata, dataset, settings, provenance)


@cli.command()
@click.argument("processed", type=folder)
@inputs
def images(
    processed: Path, samples: Path, metadata: Path, sources: Path, tools: dict[str, str], params: Path
) -> Summary:
    """Measure the labelled images in PROCESSED with their manifest SAMPLES, and write METADATA.

    Pixel values (mean, std, min, max, median, from 0 to 1) and classes of each split; duplicates, and samples that are
    in two splits, are reported with their ids.

    \b
    Example:
      stats images --params params.yaml --sources sources.csv \\
        processed samples.parquet metadata.json
    """
    pa.set_memory_pool(pa.system_memory_pool())
    return summarise_images(processed, samples, metadata, read_dataset(params), read_provenance(sources, params, tools))


@cli.command()
@click.argument("processed", type=folder)
@inputs
def text(processed: Path, samples: Path, metadata: Path, sources: Path, tools: dict[str, str], params: Path) -> Summary:
    """Measure the labelled texts in PROCESSED with their manifest SAMPLES, and write METADATA.

    Lengths in characters and words, and labels of each split; duplicates, texts with two labels, and texts that are in
    two splits, are reported with their ids.

    \b
    Example:
      stats text --params params.yaml --sources sources.csv \\
        processed samples.parquet metadata.json
    """
    pa.set_memory_pool(pa.system_memory_pool())
    return summarise_text(processed, samples, metadata, read_dataset(params), read_provenance(sources, params, tools))


@cli.command()
@click.argument("processed", type=folder)
@inputs
def conversations(
    processed: Path, samples: Path, metadata: Path, sources: Path, tools: dict[str, str], params: Path
) -> Summary:
    """Measure the captioned images in PROCESSED with their manifest SAMPLES, and write METADATA.

    Lengths of captions and sizes of images of each split, and the prompt. Every image and conversation is verified
    against its hash in the manifest.

    \b
    Example:
      stats conversations --params params.yaml --sources sources.csv \\
        processed samples.parquet metadata.json
    """
    dataset = read_dataset(params)
    return summarise_conversations(processed, samples, metadata, dataset, read_provenance(sources, params, tools))


@cli.command()
@click.argument("raw", type=folder)
@inputs
def documents(raw: Path, samples: Path, metadata: Path, sources: Path, tools: dict[str, str], params: Path) -> Summary:
    """Measure the text files in RAW with their manifest SAMPLES, and write METADATA.

    \b
    Example:
      stats documents --params params.yaml --sources sources.csv \\
        raw samples.parquet metadata.json
    """
    return summarise_documents(raw, samples, metadata, read_dataset(params), read_provenance(sources, params, tools))


@cli.command()
@click.argument("embeddings", type=path)
@click.argument("samples", type=path)
@click.argument("metadata", type=path)
@click.option("--parent", type=folder, required=True, help="Folder of the release that the chunks are from.")
@click.option("--receipt", type=path, required=True, help="Receipt of pgloader.")
@click.option("--evaluation", type=path, required=True, help="Figures of make evaluate, or {}.")
@TOOLS
@params_file("dataset")
def embeddings(
    embeddings: Path,
    samples: Path,
    metadata: Path,
    parent: Path,
    receipt: Path,
    evaluation: Path,
    tools: dict[str, str],
    params: Path,
) -> Summary:
    """Measure the embedded chunks in EMBEDDINGS with their manifest SAMPLES, and write METADATA.

    Documents, chunks, model and table; and the figures of retrieval, if they were measured on these chunks.

    \b
    Example:
      stats embeddings --params params.yaml --parent readmes \\
        --receipt receipt.json --evaluation evaluation.json \\
        embeddings.parquet samples.parquet metadata.json
    """
    return summarise_embeddings(
        embeddings,
        samples,
        metadata,
        read_dataset(params),
        read_parent_provenance(parent, params, tools),
        parent=parent,
        receipt=receipt,
        evaluation=evaluation,
    )
