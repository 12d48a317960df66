"""What params.yaml says of the index, and what the relation may be called."""

import dataclasses
import os
import re
from pathlib import Path

from stage import params
from stage.errors import UsageError

NAME = re.compile("[a-z_][a-z0-9_]*")
LONGEST = 63  # bytes of an identifier; PostgreSQL cuts longer ones, so that two names would become one
SUFFIX = 13  # of a load's table: an underscore and 12 hex digits


@dataclasses.dataclass(frozen=True)
class LoaderSettings:
    """The relation that readers query, how many former loads are kept, and how wide a search looks."""

    relation: str = "readme_embeddings"
    keep: int = 2
    ef_search: int = 100

    @classmethod
    def read(cls, path: Path) -> "LoaderSettings":
        """Read the section ``pgloader`` of a params file; PGVECTOR_TABLE_NAME wins over its relation.

        Raises UsageError where it is not as it should be.
        """
        where = f"{path} pgloader"
        settings = params.build(cls, params.section(path, "pgloader"), where)
        if relation := os.environ.get("PGVECTOR_TABLE_NAME"):
            settings, where = dataclasses.replace(settings, relation=relation), "PGVECTOR_TABLE_NAME"
        check_relation(settings.relation, where)
        if not 1 <= settings.keep <= 100:
            raise UsageError(where, f"keep {settings.keep} is not 1 to 100", "correct it")
        if not 1 <= settings.ef_search <= 1000:
            raise UsageError(where, f"ef-search {settings.ef_search} is not 1 to 1000", "correct it")
        return settings


def check_relation(name: str, where: str) -> None:
    """Raise UsageError for a name that readers could not use as it stands, or that has no room for a load's suffix."""
    if not NAME.fullmatch(name):
        raise UsageError(
            where, f"relation {name!r:.80} is not a plain name", "use a to z, 0 to 9 and _, as readme_embeddings"
        )
    if len(name) > LONGEST - SUFFIX:
        raise UsageError(where, f"relation {name:.80} is longer than {LONGEST - SUFFIX} bytes", "shorten it")
    if name.startswith(("registry_", "pg_")):
        raise UsageError(where, f"relation {name} is called as tables of the system are", "call it otherwise")


def load_table(relation: str, load_id: str) -> str:
    """Return the name of the table of a load."""
    return f"{relation}_{load_id[: SUFFIX - 1]}"
