"""Measure a table: statistics of numeric columns, value counts, and warnings."""

from pathlib import Path
from typing import Any

from stage.errors import EmptyInput, UsageError

from stats.manifests import RERUN, check_columns, check_count, shortened, verified_manifest
from stats.measures import is_countable
from stats.provenance import Provenance
from stats.report import Summary, column_schema, write_report
from stats.settings import Dataset, TableStats
from stats.table_figures import measure_table


def summarise_table(
    table: Path, samples: Path, output: Path, dataset: Dataset, settings: TableStats, provenance: Provenance
) -> Summary:
    """Write ``metadata.json`` for a table and its manifest, in one pass over the table and at least one for medians.

    Wide Parquet tables are read some columns at a time.

    Raises CorruptFile, ChecksumMismatch, EmptyInput, or SchemaMismatch if table, manifest and params do not match.
    """
    manifest = verified_manifest(samples, table)
    check_names(dataset, settings)
    check_columns(table, manifest, dataset.schema())
    figures = measure_table(table, dataset, settings.distributions, manifest.rows, output.parent)
    if not figures.rows:
        raise EmptyInput(table, "no rows", RERUN)
    check_count(manifest, manifest.rows, table, figures.rows)
    features = [column for column in dataset.columns if column.name != dataset.target]
    statistics = figures.statistics
    return write_report(
        output,
        dataset,
        manifest,
        {
            "schema": table_schema(dataset),
            "summary": figures.totals(len(features)),
            "statistics": {
                "features": {name: row for name, row in statistics.items() if name != dataset.target},
                **({"target": statistics[dataset.target]} if dataset.target in statistics else {}),
            },
        },
        provenance,
        missing={name: figures.missing[name] for name, _ in manifest.columns if figures.missing[name]},
        warnings=list(figures.warnings()),
    )


def check_names(dataset: Dataset, settings: TableStats) -> None:
    """Raise UsageError unless distributions and target are columns, and the values of distributions can be counted."""
    names = [column.name for column in dataset.columns]
    for name in (*settings.distributions, *([] if dataset.target is None else [dataset.target])):
        if name not in names:
            where, fix = "stats.distributions or dataset.target", f"use one of {shortened(names)}"
            raise UsageError(where, f"unknown column {name:.80}", fix)
    for column in dataset.columns:
        if column.name in settings.distributions and not is_countable(dataset.schema().field(column.name).type):
            what = f"values of {column.name:.80}, {column.type:.80}, cannot be counted"
            raise UsageError("stats.distributions", what, "remove it from the list")


def table_schema(dataset: Dataset) -> dict[str, Any]:
    """Return the section ``schema`` of a table: its features, and its target with the range."""
    features = {column.name: column_schema(column) for column in dataset.columns if column.name != dataset.target}
    for column in dataset.columns:
        if column.name == dataset.target:
            target: dict[str, Any] = {"name": column.name, **column_schema(column)}
            target |= {"range": list(dataset.target_range)} if dataset.target_range else {}
            return {"features": features, "target": target}
    return {"features": features}
