"""Read the columns of the processed dataset, ``dataset.columns`` in params.yaml."""

from pathlib import Path

from samples import Column, check_columns
from stage import params
from stage.errors import UsageError
from stage.redaction import listed


def read_columns(path: Path) -> tuple[Column, ...]:
    """Read ``dataset.columns`` of a params file. Raises UsageError if they are missing or invalid."""
    where = f"{path} dataset.columns"
    if "columns" in params.section(path, "parquetizer"):
        raise UsageError(f"{path} parquetizer", "unknown key columns", "declare them in dataset.columns")
    values = params.section(path, "dataset").get("columns")
    if not values or not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise UsageError(where, "no columns", "list the columns, each with name and type")
    columns = tuple(params.build(Column, value, f"{where}[{index}]") for index, value in enumerate(values))
    try:
        check_columns(columns)
    except ValueError as error:
        raise UsageError(where, str(error), "correct the column") from error
    return columns


def check_key(key: tuple[str, ...], names: list[str], where: str, setting: str = "key") -> None:
    """Raise UsageError unless the columns of a setting (``key``: those that identify a sample) are among ``names``."""
    for name in key:
        if name not in names:
            raise UsageError(f"{where} {setting}", f"unknown column {name!s:.80}", f"use one of: {listed(names)}")
