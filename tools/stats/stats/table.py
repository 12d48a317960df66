"""Measure a table: statistics of numeric columns, value counts, and warnings."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stage.errors import EmptyInput, UsageError
from stage.progress import progress

from stats.manifests import RERUN, check_columns, check_count, shortened, verified_manifest
from stats.median import Floats, medians
from stats.moments import Moments
from stats.provenance import Provenance
from stats.report import Summary, column_schema, rounded, write_report
from stats.settings import Dataset, TableStats
from stats.table_input import column_groups, read_table

MAX_DISTINCT = 10_000  # values of a distribution


def summarise_table(
    table: Path, samples: Path, output: Path, dataset: Dataset, settings: TableStats, provenance: Provenance
) -> Summary:
    """Write ``metadata.json`` for a table and its manifest, in one pass over the table and at least one for medians.

    Wide Parquet tables are read some columns at a time.

    Raises CorruptFile, ChecksumMismatch, EmptyInput, or SchemaMismatch if table, manifest and params do not match.
    """
    manifest = verified_manifest(samples, table)
    _check_names(dataset, settings)
    schema = dataset.schema()
    check_columns(table, manifest, schema)
    numbers = {name: Moments() for name, kind in manifest.columns if _is_number(kind)}
    counts: dict[str, Counter[Any]] = {name: Counter() for name in settings.distributions}
    missing: Counter[str] = Counter()
    groups, rows = column_groups(table, schema.names), 0
    for names in groups:
        rows = 0
        for batch in _with_progress(
            read_table(table, schema, names if len(groups) > 1 else None), table, manifest.rows
        ):
            rows += batch.num_rows
            for name in names:
                _measure(name, batch[name], numbers, counts, missing)
    if not rows:
        raise EmptyInput(table, "no rows", RERUN)
    check_count(manifest, manifest.rows, table, rows)
    figures = _figures(numbers, table, schema, rows)
    features = [column for column in dataset.columns if column.name != dataset.target]
    return write_report(
        output,
        dataset,
        manifest,
        {
            "schema": {
                "features": {column.name: column_schema(column) for column in features},
                **_target_schema(dataset),
            },
            "summary": {
                "num_samples": rows,
                "num_features": len(features),
                **{f"{name}_distribution": _sorted(counter) for name, counter in counts.items()},
            },
            "statistics": {
                "features": {column.name: figures[column.name] for column in features if column.name in figures},
                **({"target": figures[dataset.target]} if dataset.target in figures else {}),
            },
        },
        provenance,
        missing={name: missing[name] for name, _ in manifest.columns if missing[name]},
        warnings=list(_warnings(figures, numbers, counts, missing, rows)),
    )


def _measure(
    name: str, column: pa.Array, numbers: dict[str, Moments], counts: dict[str, Counter[Any]], missing: Counter[str]
) -> None:
    missing[name] += column.null_count
    if name in numbers:
        values = _finite(column)
        numbers[name].add(values, len(column) - len(values))
    if name in counts:
        _count(counts[name], column, name)


def _with_progress(batches: Iterator[pa.RecordBatch], table: Path, rows: int) -> Iterator[pa.RecordBatch]:
    with progress(f"measuring {table.name}", rows, "rows") as advance:
        for batch in batches:
            yield batch
            advance(batch.num_rows)


def _figures(
    numbers: dict[str, Moments], table: Path, schema: pa.Schema, rows: int
) -> dict[str, dict[str, float | None]]:
    def read(names: list[str]) -> Iterator[tuple[str, Floats]]:
        for group in column_groups(table, names):
            for batch in _with_progress(read_table(table, schema, group), table, rows):
                yield from ((name, _finite(batch[name])) for name in group)

    median_of = medians({name: moments.digits for name, moments in numbers.items()}, read)
    return {
        name: {
            "mean": rounded(moments.mean) if moments.count else None,
            "std": rounded(moments.std),
            "min": rounded(moments.min) if moments.count else None,
            "max": rounded(moments.max) if moments.count else None,
            "median": rounded(median_of.get(name)),
        }
        for name, moments in numbers.items()
    }


def _check_names(dataset: Dataset, settings: TableStats) -> None:
    names = [column.name for column in dataset.columns]
    for name in (*settings.distributions, *([] if dataset.target is None else [dataset.target])):
        if name not in names:
            where, fix = "stats.distributions or dataset.target", f"use one of {shortened(names)}"
            raise UsageError(where, f"unknown column {name:.80}", fix)


def _warnings(
    figures: dict[str, dict[str, float | None]],
    numbers: dict[str, Moments],
    counts: dict[str, Counter[Any]],
    missing: Counter[str],
    rows: int,
) -> Iterator[str]:
    """Yield warnings about the figures, at least one for each that is null."""
    for name, count in missing.items():
        if count == rows:
            yield f"{name} has no value"
    for name, moments in numbers.items():
        if not_finite := moments.missing - missing[name]:
            yield f"{name} has {not_finite} values that are not finite; its statistics leave them out"
        if missing_keys := [key for key, value in figures[name].items() if value is None]:
            yield f"{name} has no {', '.join(missing_keys)}"
    for name, counter in counts.items():
        if len(counter) == 1:
            yield f"{name} has one value only"


def _target_schema(dataset: Dataset) -> dict[str, Any]:
    for column in dataset.columns:
        if column.name == dataset.target:
            target: dict[str, Any] = {"name": column.name, **column_schema(column)}
            return {"target": {**target, **({"range": list(dataset.target_range)} if dataset.target_range else {})}}
    return {}


def _count(counter: Counter[Any], column: pa.Array, name: str) -> None:
    pairs = pc.value_counts(column.filter(pc.invert(pc.is_null(column, nan_is_null=True))))
    for value, count in zip(pairs.field("values").to_pylist(), pairs.field("counts").to_pylist(), strict=True):
        counter[value] += count
    if len(counter) > MAX_DISTINCT:
        raise UsageError(
            "stats.distributions", f"{name} has more than {MAX_DISTINCT} distinct values", "remove it from the list"
        )


def _sorted(counter: Counter[Any]) -> dict[str, int]:
    return {str(value): counter[value] for value in sorted(counter)}


def _finite(column: pa.Array) -> Floats:
    values = column.drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    finite: Floats = values[np.isfinite(values)]
    return finite


def _is_number(kind: str) -> bool:
    arrow = pa.type_for_alias(kind)
    return bool(pa.types.is_integer(arrow) or pa.types.is_floating(arrow))
