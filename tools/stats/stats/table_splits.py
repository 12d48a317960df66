"""Measure a table with splits: each split as a table, how its samples are shared out, and what is in two splits."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stats.leaks import find_split_leaks
from stats.manifests import check_count, shortened
from stats.provenance import Provenance
from stats.report import Summary, write_report
from stats.settings import Dataset, SplitRules, TableStats
from stats.splits import verified_splits
from stats.table import check_names, table_schema
from stats.table_figures import TableFigures, measure_table

TOLERANCE = 0.05  # between the share that is declared and the share that was met


def summarise_table_splits(
    processed: Path,
    samples: Path,
    output: Path,
    dataset: Dataset,
    settings: TableStats,
    rules: SplitRules,
    provenance: Provenance,
) -> Summary:
    """Write ``metadata.json`` for the splits of a table, in one pass over each and at least one for medians.

    Groups (``rules.group``) and, beside the key, contents that are in two splits are found in another pass.

    Raises CorruptFile, ChecksumMismatch, EmptyInput, or SchemaMismatch if files, manifest and params do not match.
    """
    check_names(dataset, settings)
    manifest, files = verified_splits(processed, samples, schema := dataset.schema())
    classes = [column.name for column in dataset.columns if column.classes]
    counted = list(dict.fromkeys([*settings.distributions, *classes]))
    measured: dict[str, TableFigures] = {}
    for split, file in files.items():
        measured[split] = measure_table(file.path, dataset, counted, file.samples, output.parent)
        check_count(manifest, file.samples, file.path, measured[split].rows)
    leaks, leak_warnings = find_split_leaks(manifest, files, dataset, rules.group, output.parent)
    num_features = sum(column.name != dataset.target for column in dataset.columns)
    shares = _shares(measured, rules.splits)
    missing = {name: sum(figures.missing[name] for figures in measured.values()) for name in schema.names}
    return write_report(
        output,
        dataset,
        manifest,
        {
            "schema": table_schema(dataset),
            "splits": {split: figures.totals(num_features) for split, figures in measured.items()},
            "metrics": {
                split: {
                    f"{name}_{figure}": value
                    for name, statistics in figures.statistics.items()
                    for figure, value in statistics.items()
                }
                for split, figures in measured.items()
            },
            "shares": shares,
        },
        provenance,
        missing={name: count for name, count in missing.items() if count},
        leaks=leaks,
        warnings=[*leak_warnings, *_warnings(measured, shares)],
    )


def _shares(measured: Mapping[str, TableFigures], declared: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Return by split its share of all samples, the declared one, and its share of each value that is counted."""
    total = sum(figures.rows for figures in measured.values())
    totals: dict[str, dict[str, int]] = {}
    for figures in measured.values():
        for name, counts in figures.distributions().items():
            for value, count in counts.items():
                totals.setdefault(name, {})[value] = totals.get(name, {}).get(value, 0) + count
    return {
        split: {
            **({"declared": declared[split]} if split in declared else {}),
            "samples": round(figures.rows / total, 6),
            "values": {
                name: {value: round(counts.get(value, 0) / number, 6) for value, number in totals[name].items()}
                for name, counts in figures.distributions().items()
                if name in totals
            },
        }
        for split, figures in measured.items()
    }


def _warnings(measured: Mapping[str, TableFigures], shares: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for split, figures in measured.items():
        yield from (f"{split}: {warning}" for warning in figures.warnings())
    for split, share in shares.items():
        met, declared = share["samples"], share.get("declared")
        if declared is not None and abs(met - declared) > TOLERANCE:
            yield f"{split} has {met:.1%} of the samples, and its declared share is {declared:.1%}"
        for name, values in share["values"].items():
            if absent := [value for value, part in values.items() if not part]:
                yield f"{split} has no sample of {name} {shortened(absent)}"
