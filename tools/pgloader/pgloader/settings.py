"""The section ``pgloader`` of params.yaml, and the names of relations and tables."""

import dataclasses
import os
import re
from pathlib import Path

from stage import params
from stage.errors import UsageError

NAME = re.compile("[a-z_][a-z0-9_]*")
MAX_IDENTIFIER = 63  # bytes; PostgreSQL truncates longer identifiers, so that two of them could become one
SUFFIX = 13  # bytes of a table's suffix: an underscore and 12 hex digits
MAX_RELATION = MAX_IDENTIFIER - SUFFIX


@dataclasses.dataclass(frozen=True)
class LoaderSettings:
    """The view that readers query, how many earlier loads to keep, and the ef_search of HNSW."""

    relation: str = "readme_embeddings"
    keep: int = 2
    ef_search: int = 100

    @classmethod
    def read(cls, path: Path) -> "LoaderSettings":
        """Read the section ``pgloader`` of a params file; PGVECTOR_TABLE_NAME overrides its relation.

        Raises UsageError for an unknown key or an invalid value.
        """
        where = f"{path} pgloader"
        settings = params.build(cls, params.section(path, "pgloader"), where)
        if relation := os.environ.get("PGVECTOR_TABLE_NAME"):
            settings, where = dataclasses.replace(settings, relation=relation), "PGVECTOR_TABLE_NAME"
        check_relation(settings.relation, where)
        for name, value, maximum in (("keep", settings.keep, 100), ("ef-search", settings.ef_search, 1000)):
            if not 1 <= value <= maximum:
                raise UsageError(where, f"invalid {name} {value}", f"set {name} to a number from 1 to {maximum}")
        return settings


def check_relation(name: str, where: str) -> None:
    """Raise UsageError for a name that needs quoting, is reserved, or is too long for the suffix of a table."""
    if not NAME.fullmatch(name):
        what = f"invalid relation name {name!r:.80}"
        raise UsageError(where, what, "use a to z, 0 to 9 and _, as in readme_embeddings")
    if len(name) > MAX_RELATION:
        what = f"relation name {name:.80} is longer than {MAX_RELATION} bytes"
        raise UsageError(where, what, "use a shorter name")
    if name.startswith(("registry_", "pg_")):
        raise UsageError(where, f"relation name {name} has a reserved prefix", "do not begin it with registry_ or pg_")


def load_table(relation: str, load_id: str) -> str:
    """Return the name of the table of a load."""
    return f"{relation}_{load_id[: SUFFIX - 1]}"
