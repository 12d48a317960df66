"""Small tables with their manifests, laid down as the parquetizer leaves them, and the tool run on them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import yaml
from click.testing import CliRunner, Result
from samples import ManifestWriter
from stats.cli import cli

SOURCES = "name,url,sha256,bytes\na.csv,https://example.org/a.csv,00ff,12\na.csv,https://mirror.example.org/a,00ff,12\n"


def lay(
    folder: Path,
    table: pa.Table,
    suffix: str = ".parquet",
    *,
    splits: Mapping[str, int] | None = None,
    rows_of_group: int = 100,
    **params: Any,
) -> Path:
    """Write table, manifest, params.yaml and sources.csv; return the table's path, relative to the folder."""
    path = Path(f"table{suffix}")
    if suffix == ".csv":
        pa_csv.write_csv(table, folder / path, pa_csv.WriteOptions(quoting_style="needed"))
    else:
        pq.write_table(table, folder / path, compression="zstd", write_page_checksum=True, row_group_size=rows_of_group)
    sign(folder, table, path, splits or {"all": table.num_rows})
    describe(folder, [(field.name, str(field.type)) for field in table.schema], **params)
    (folder / "sources.csv").write_text(SOURCES)
    return path


def sign(folder: Path, table: pa.Table, path: Path, splits: Mapping[str, int]) -> None:
    """Write the manifest of a table: it names the file by the hash of what lies there now."""
    with ManifestWriter(folder / "samples.parquet", table.schema) as writer:
        first = 0
        for split, rows in splits.items():
            for batch in table.slice(first, rows).to_batches():
                writer.add(batch, split=split, file=path.as_posix(), source="a.csv")
            first += rows
        writer.finish({path.as_posix(): hashlib.sha256((folder / path).read_bytes()).hexdigest()})


def describe(folder: Path, columns: Sequence[tuple[str, str]], stats: Any = None, **dataset: Any) -> None:
    """Write params.yaml."""
    document = {
        "dataset": {
            **dict.fromkeys(("title", "description", "source", "licence", "file"), "?"),
            "name": "tiny",
            "columns": [{"name": name, "type": kind, "description": f"the {name}"} for name, kind in columns],
            **dataset,
        },
        "parquetizer": {"delimiter": ";"},
        "stats": stats or {},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def arguments(table: Path, *more: str) -> list[str]:
    return [
        "table",
        str(table),
        "samples.parquet",
        "metadata.json",
        "--params=params.yaml",
        "--sources=sources.csv",
        *more,
    ]


def measure(table: Path, *more: str) -> Result:
    """Run the tool in the current folder."""
    return CliRunner().invoke(cli, arguments(table, *more))


def measured(table: Path, *more: str) -> dict[str, Any]:
    """Run the tool in the current folder; return what it wrote, read as strictly as any reader may."""
    result = measure(table, *more)
    assert result.exit_code == 0, result.stderr
    return strictly(Path("metadata.json").read_text(encoding="utf-8"))


def strictly(text: str) -> dict[str, Any]:
    """Read JSON as RFC 8259 has it: no NaN, no Infinity, no key twice."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    def once(items: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(items)) == len(items)
        return dict(items)

    document: dict[str, Any] = json.loads(text, parse_constant=refuse, object_pairs_hook=once)
    return document
