"""Measure a table: statistics of numeric columns, value counts, and warnings."""

from pathlib import Path
from typing import Any

from stage.errors import EmptyInput, UsageError

from stats.manifests import RERUN, check_columns, check_count, shortened, verified_manifest
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
    schema = dataset.schema()
    check_columns(table, manifest, schema)
    figures = measure_table(table, schema, settings.distributions, manifest.rows)
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
            "summary": {
                "num_samples": figures.rows,
                "num_features": len(features),
                **{f"{name}_distribution": counts for name, counts in figures.distributions().items()},
            },
            "statistics": {
                "features": {column.name: statistics[column.name] for column in features if column.name in statistics},
                **({"target": statistics[dataset.target]} if dataset.target in statistics else {}),
            },
        },
        provenance,
        missing={name: figures.missing[name] for name, _ in manifest.columns if figures.missing[name]},
        warnings=list(figures.warnings()),
    )


def check_names(dataset: Dataset, settings: TableStats) -> None:
    """Raise UsageError unless distributions and target are columns."""
    names = [column.name for column in dataset.columns]
    for name in (*settings.distributions, *([] if dataset.target is None else [dataset.target])):
        if name not in names:
            where, fix = "stats.distributions or dataset.target", f"use one of {shortened(names)}"
            raise UsageError(where, f"unknown column {name:.80}", fix)


def table_schema(dataset: Dataset) -> dict[str, Any]:
    """Return the section ``schema`` of a table: its features, and its target with the range."""
    features = {column.name: column_schema(column) for column in dataset.columns if column.name != dataset.target}
    for column in dataset.columns:
        if column.name == dataset.target:
            target: dict[str, Any] = {"name": column.name, **column_schema(column)}
            target |= {"range": list(dataset.target_range)} if dataset.target_range else {}
            return {"features": features, "target": target}
    return {"features": features}
