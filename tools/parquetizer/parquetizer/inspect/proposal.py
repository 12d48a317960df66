"""A proposal for the params.yaml of a dataset, with a reason for each guess."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class ProposedColumn:
    """A column of ``dataset.columns``, and what its type rests on."""

    name: str
    type: str
    reason: str
    format: str = ""
    classes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Table:
    """A table in raw files of one format: its columns, and the settings to read them."""

    rows: int
    columns: tuple[ProposedColumn, ...]
    settings: dict[str, Any]
    reasons: dict[str, str]
    split_column: str = ""  # that names the split of each row, and its values
    split_values: tuple[str, ...] = ()
    group: str = ""  # the setting to consider for drawn splits, with the figure that it rests on

    def read_by(self, settings: dict[str, Any], reasons: dict[str, str]) -> "Table":
        """Return the table with settings of its format, which come first, but for empty ones."""
        settings = {key: value for key, value in settings.items() if value}
        given = {key: reasons[key] for key in settings if key in reasons}
        return dataclasses.replace(self, settings={**settings, **self.settings}, reasons={**given, **self.reasons})


def changed(settings: Any, defaults: Any) -> dict[str, Any]:
    """Return the settings of a dataclass that are not the default ones, as params.yaml has them."""
    return {
        field.name.replace("_", "-"): list(value) if isinstance(value, tuple) else value
        for field in dataclasses.fields(defaults)
        if (value := getattr(settings, field.name)) != getattr(defaults, field.name)
    }


@dataclasses.dataclass(frozen=True)
class Proposal:
    """What raw files hold.

    ``parquetizer`` is that section of params.yaml, ``reasons`` has a line for each of its settings that is a guess.
    ``splits`` are the names of the splits in the order of the raw files, none for a table without.
    """

    kind: str  # table, files or documents
    rows: int
    columns: tuple[ProposedColumn, ...]
    parquetizer: dict[str, Any]
    reasons: dict[str, str]
    splits: tuple[str, ...] = ()
