"""The command line of stats."""

from pathlib import Path

import click
import pyarrow as pa
from stage.command import Tool
from stage.options import FILE, params_file, talk
from stage.params import build, section

from stats.provenance import read_provenance
from stats.settings import Dataset, TableStats
from stats.table import TableSummary, summarise_table

cli = Tool("stats", help="Measure a processed dataset into metadata.json.")

path = click.Path(dir_okay=False, path_type=Path)


def pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Split each NAME=IMAGE."""
    if wrong := [value for value in values if "=" not in value]:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=IMAGE")
    return dict(value.split("=", 1) for value in values)


@cli.command()
@click.argument("table", type=path)
@click.argument("samples", type=path)
@click.argument("metadata", type=path)
@click.option("--sources", type=FILE, required=True, help="The sources.csv that the raw files were fetched by.")
@click.option(
    "--tool",
    "tools",
    multiple=True,
    metavar="NAME=IMAGE",
    callback=pairs,
    help="A tool that had a part in it (repeatable).",
)
@params_file("stats")
@talk
def table(
    table: Path, samples: Path, metadata: Path, sources: Path, tools: dict[str, str], params: Path
) -> TableSummary:
    """Measure TABLE, whose manifest is SAMPLES, and write METADATA.

    Duplicates, missing and non-finite values are reported, not hidden; they are warnings, not errors.
    """
    pa.set_memory_pool(pa.system_memory_pool())  # gives memory back sooner
    return summarise_table(
        table,
        samples,
        metadata,
        build(Dataset, section(params, "dataset"), f"{params} dataset"),
        build(TableStats, section(params, "stats"), f"{params} stats"),
        read_provenance(sources, params, tools),
    )
