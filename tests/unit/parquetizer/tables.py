"""Small raw files in the current folder, and the parquetizer run over them."""

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from click.testing import CliRunner
from parquetizer.cli import cli
from parquetizer.table_output import open_table

RAW, SAMPLES = Path("raw"), Path("samples.parquet")
PARQUET = "out.parquet"  # where anything can be written
Columns = Mapping[str, str | Mapping[str, Any]]  # the type of each, or more of what is declared of it
AB: Columns = {"a": "string", "b": "int64"}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run of the command line ended."""

    code: int
    result: dict[str, Any]  # from stdout
    error: str  # the last line of stderr, without "error: "
    output: Path

    @property
    def text(self) -> str:
        """The output as CSV, which Parquet is written as once more: it may hold what the command refuses."""
        if self.output.suffix != ".parquet":
            return self.output.read_bytes().decode()
        table, path = pq.read_table(self.output), self.output.with_suffix(".as.csv")
        with open_table(path, ".csv", table.schema) as written:
            for batch in table.to_batches():
                written.write(batch)
        return path.read_bytes().decode()

    @property
    def rows(self) -> list[list[str]]:
        """The rows of the output as CSV, as Python's csv module reads them."""
        before = csv.field_size_limit(1 << 30)
        try:
            return [*csv.reader(io.StringIO(self.text, newline=""), strict=True)][1:]
        finally:
            csv.field_size_limit(before)  # of the whole process, which other tests share


def write_params(
    columns: Mapping[str, str | Mapping[str, Any]], inputs: Sequence[Any] = ("a.csv",), **settings: Any
) -> Path:
    """Write params.yaml; settings with underscores become keys with dashes, a type may be more than its name."""
    parquetizer = {
        "inputs": [given if isinstance(given, dict) else {"file": given} for given in inputs],
        **{key.replace("_", "-"): value for key, value in settings.items()},
    }
    types = {name: {"type": kind} if isinstance(kind, str) else dict(kind) for name, kind in columns.items()}
    dataset = {"columns": [{"name": name, **kind} for name, kind in types.items()]}
    path = Path("params.yaml")
    path.write_text(yaml.safe_dump({"dataset": dataset, "parquetizer": parquetizer}, allow_unicode=True))
    return path


def write_raw(files: Mapping[str, bytes | str] | bytes | str) -> None:
    """Write the raw files; a lone one is a.csv."""
    RAW.mkdir(exist_ok=True)
    for name, data in (files if isinstance(files, Mapping) else {"a.csv": files}).items():
        (RAW / name).write_bytes(data.encode() if isinstance(data, str) else data)


def parquetize(
    files: Mapping[str, bytes | str] | bytes | str,
    columns: Columns = AB,
    output: str = "out.csv",
    **settings: Any,
) -> Outcome:
    """Run the command ``table`` over raw files with the given settings."""
    write_raw(files)
    return run_table(write_params(columns, **settings), output)


def run_table(params: Path, output: str = "out.csv") -> Outcome:
    """Run the command ``table`` over the raw files as they are."""
    done = CliRunner().invoke(cli, ["table", str(RAW), output, str(SAMPLES), "--params", str(params)])
    if done.exit_code == 1 and done.exception:
        raise done.exception
    last = done.stderr.splitlines()[-1] if done.exit_code else "error: "
    assert last.startswith("error: "), done.stderr
    return Outcome(
        done.exit_code, json.loads(done.stdout) if done.stdout else {}, last.removeprefix("error: "), Path(output)
    )
