"""Measure text files, such as READMEs: numbers and lengths."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from samples import Manifest
from stage.errors import CorruptFile, EmptyInput

from stats.manifests import RERUN, check_columns, verified_manifest
from stats.provenance import Provenance
from stats.report import Summary, rounded, write_report
from stats.settings import Dataset

SCHEMA = pa.schema([("name", pa.string()), ("text", pa.string())])
SIZES = ("size_bytes", "characters", "words", "lines")


def summarise_documents(raw: Path, samples: Path, output: Path, dataset: Dataset, provenance: Provenance) -> Summary:
    """Write ``metadata.json`` for the text files below ``raw``, one in memory at a time.

    Raises InputMissing, CorruptFile, EmptyInput, SchemaMismatch, or ChecksumMismatch if files and manifest differ.
    """
    manifest = verified_manifest(samples, raw)
    check_columns(samples, manifest, SCHEMA, "write it with parquetizer documents")
    if not manifest.rows:
        raise EmptyInput(samples, "no documents", RERUN)
    if manifest.rows != len(manifest.files):
        what = f"{manifest.rows} samples for {len(manifest.files)} files"
        raise CorruptFile(samples, what, RERUN)
    totals = _totals(manifest)
    statistics: dict[str, Any] = {"total_files": manifest.rows}
    for name in SIZES:
        statistics |= {f"total_{name}": totals[name], f"average_{name}": rounded(totals[name] / manifest.rows)}
    features = {
        "name": {"dtype": "string", "description": f"path of the file below {raw.as_posix()}/"},
        "text": {"dtype": "string", "description": "the whole file, UTF-8"},
    }
    figures = {
        "schema": {"features": features},
        "summary": {"num_samples": manifest.rows},
        "statistics": statistics,
    }
    return write_report(output, dataset, manifest, figures, provenance)


def _totals(manifest: Manifest) -> dict[str, int]:
    totals = dict.fromkeys(SIZES, 0)
    for name in manifest.files:
        data = Path(name).read_bytes()
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise CorruptFile(name, f"not valid UTF-8: {error.reason}", RERUN) from error
        for size, value in zip(SIZES, (len(data), len(text), len(text.split()), text.count("\n")), strict=True):
            totals[size] += value
    return totals
