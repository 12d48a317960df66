"""The command line of stats."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import pyarrow as pa
from stage.command import Tool
from stage.options import FILE, params_file, talk
from stage.params import build, section

from stats.conversations import summarise_conversations
from stats.documents import summarise_documents
from stats.embeddings import summarise_embeddings
from stats.images import summarise_images
from stats.provenance import read_parentage, read_provenance
from stats.report import Summary
from stats.settings import Dataset, TableStats
from stats.table import summarise_table
from stats.text import summarise_text

cli = Tool("stats", help="Measure a processed dataset into metadata.json.")

F = TypeVar("F", bound=Callable[..., Any])
path = click.Path(dir_okay=False, path_type=Path)
folder = click.Path(file_okay=False, path_type=Path)


def pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Split each NAME=IMAGE."""
    if wrong := [value for value in values if "=" not in value]:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=IMAGE")
    return dict(value.split("=", 1) for value in values)


TOOLS = click.option(
    "--tool",
    "tools",
    multiple=True,
    metavar="NAME=IMAGE",
    callback=pairs,
    help="A tool that had a part in it (repeatable).",
)


def inputs(command: F) -> F:
    """Add what every command takes: the manifest, the output, and where the data comes from."""
    sources = click.option(
        "--sources", type=FILE, required=True, help="The sources.csv that the raw files were fetched by."
    )
    samples, metadata = click.argument("samples", type=path), click.argument("metadata", type=path)
    return samples(metadata(sources(TOOLS(params_file("stats")(talk(command))))))


def described(params: Path) -> Dataset:
    """Read what the data set is."""
    return build(Dataset, section(params, "dataset"), f"{params} dataset")


@cli.command()
@click.argument("table", type=path)
@inputs
def table(table: Path, samples: Path, metadata: Path, sources: Path, tools: dict[str, str], params: Path) -> Summary:
    """Measure TABLE, whose manifest is SAMPLES, and write METADATA.

    Duplicates, missing and non-finite values are reported, not hidden; they are warnings, not errors.
    """
    pa.set_memory_pool(pa.system_memory_pool())  # gives memory back sooner
    settings = build(TableStats, section(params, "stats"), f"{params} stats")
    return summarise_table(
        table, samples, metadata, described(params), settings, read_provenance(sources, params, tools)
    )


@cli.command()
@click.argument("processed", type=folder)
@inputs
def images(
    processed: Path, samples: Path, metadata: Path, sources: Path, tools: dict[str, str], params: Path
) -> Summary:
    """Measure the labelled images in the folder PROCESSED, whose manifest is SAMPLES, and write METADATA.

    The pixels of each split (mean, std, min, max, median, from 0 to 1) and its classes; duplicates, and samples of one
    split that another has too, are reported with their ids.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    return summarise_images(processed, samples, metadata, described(params), read_provenance(sources, params, tools))


@cli.command()
@click.argument("processed", type=folder)
@inputs
def text(processed: Path, samples: Path, metadata: Path, sources: Path, tools: dict[str, str], params: Path) -> Summary:
    """Measure the labelled texts in the folder PROCESSED, whose manifest is SAMPLES, and write METADATA.

    Lengths in characters and words, and the labels, of each split; duplicates, texts with two labels, and texts of one
    split that another has too, are reported with their ids.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    return summarise_text(processed, samples, metadata, described(params), read_provenance(sources, params, tools))


@cli.command()
@click.argument("processed", type=folder)
@inputs
def conversations(
    processed: Path, samples: Path, metadata: Path, sources: Path, tools: dict[str, str], params: Path
) -> Summary:
    """Measure the captioned images in the folder PROCESSED, whose manifest is SAMPLES, and write METADATA.

    Lengths of the captions and sizes of the images of each split, and the prompt. Every image and conversation is
    checked against its hash in the manifest.
    """
    return summarise_conversations(
        processed, samples, metadata, described(params), read_provenance(sources, params, tools)
    )


@cli.command()
@click.argument("raw", type=folder)
@inputs
def documents(raw: Path, samples: Path, metadata: Path, sources: Path, tools: dict[str, str], params: Path) -> Summary:
    """Measure the text files in the folder RAW, whose manifest is SAMPLES, and write METADATA."""
    return summarise_documents(raw, samples, metadata, described(params), read_provenance(sources, params, tools))


@cli.command()
@click.argument("embeddings", type=path)
@click.argument("samples", type=path)
@click.argument("metadata", type=path)
@click.option("--parent", type=folder, required=True, help="The release that they were made from.")
@click.option("--receipt", type=path, required=True, help="What pgloader says of its table.")
@click.option("--evaluation", type=path, required=True, help="What make evaluate measured, {} for nothing yet.")
@TOOLS
@params_file("dataset")
@talk
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
    """Measure the embedded chunks in EMBEDDINGS, whose manifest is SAMPLES, and write METADATA.

    Documents and chunks, the model, the table that they are in, and how well questions find their answers, where that
    was measured on these very chunks.
    """
    provenance = read_parentage(parent, params, tools)
    return summarise_embeddings(
        embeddings,
        samples,
        metadata,
        described(params),
        provenance,
        parent=parent,
        receipt=receipt,
        evaluation=evaluation,
    )
