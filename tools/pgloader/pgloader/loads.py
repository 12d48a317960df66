"""Records of loads and switches: the receipt file, and the tables registry_loads and registry_switches."""

import dataclasses
import json
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from stage import params
from stage.errors import InputMissing, UsageError
from stage.foreign import read_bytes, read_json
from stage.output import replacing

from pgloader.connection import transaction
from pgloader.settings import LoaderSettings

SWITCHES = """
SELECT version, load_id, table_name, date_trunc('second', switched_at)::text AS switched_at,
       date_trunc('second', undone_at)::text AS undone_at
FROM public.registry_switches WHERE relation = %s ORDER BY id DESC
"""
LOADS = """
SELECT load_id, table_name, rows, dimension, checksum, source_data_version, embedding_model,
       date_trunc('second', loaded_at)::text AS loaded_at,
       coalesce(pg_total_relation_size(to_regclass(format('public.%%I', table_name))), 0) AS bytes
FROM public.registry_loads WHERE relation = %s ORDER BY registry_loads.loaded_at
"""
TABLE_OF_VIEW = """
SELECT read.relname FROM pg_rewrite
JOIN pg_depend ON pg_depend.classid = 'pg_rewrite'::regclass AND pg_depend.objid = pg_rewrite.oid
JOIN pg_class AS read ON pg_depend.refclassid = 'pg_class'::regclass AND read.oid = pg_depend.refobjid
WHERE pg_rewrite.ev_class = to_regclass(format('public.%%I', %s::text)) AND read.oid <> pg_rewrite.ev_class LIMIT 1
"""
RELATION_KIND = "SELECT relkind::text FROM pg_class WHERE relname = %s AND relnamespace = 'public'::regnamespace"


@dataclasses.dataclass(frozen=True)
class Receipt:
    """What a load contains, not where or when; ``checksum`` is over the row digests in the order of the row ids."""

    relation: str
    table: str
    load_id: str
    rows: int
    dimension: int
    checksum: str
    indexes: tuple[str, ...]
    source_data_version: str
    embedding_model: str
    revision: str

    def write(self, path: Path) -> None:
        """Write the receipt as JSON; the same load gives the same bytes."""
        with replacing(path) as (temporary,):
            temporary.write_text(json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Receipt":
        """Read a receipt. Raises InputMissing, or UsageError for a file that is not a receipt."""
        if not path.is_file():
            raise InputMissing(path, "file not found", "make load, or pgloader load")
        values = read_json(read_bytes(path, error=UsageError), path, dict, UsageError, "pgloader load writes one")
        return params.build(cls, values, str(path))


@dataclasses.dataclass(frozen=True)
class Load:
    """A row of registry_loads; ``bytes`` includes the indexes, and is 0 if the table no longer exists."""

    load_id: str
    table_name: str
    rows: int
    dimension: int
    checksum: str
    source_data_version: str
    embedding_model: str
    loaded_at: str
    bytes: int


@dataclasses.dataclass(frozen=True)
class Switch:
    """A row of registry_switches: when the view was pointed at a load, and when a rollback undid that."""

    version: str
    load_id: str
    table_name: str
    switched_at: str
    undone_at: str | None


@dataclasses.dataclass(frozen=True)
class StatusResult:
    """The loads, oldest first, the switches, latest first, and the table and version that the view points at."""

    relation: str
    table: str
    version: str
    loads: tuple[Load, ...]
    history: tuple[Switch, ...]


def status(settings: LoaderSettings) -> StatusResult:
    """Return the loads, the switches, and the load that the view points at."""
    with transaction("status", read_only=True) as connection:
        table = table_of_view(connection, settings.relation)
        history = read_switches(connection, settings.relation)
        version = next((each.version for each in history if not each.undone_at and each.table_name == table), "")
        loads = read_loads(connection, settings.relation)
        return StatusResult(settings.relation, table, version, tuple(loads), tuple(history))


def read_loads(connection: psycopg.Connection, relation: str) -> list[Load]:
    """Return the loads of a relation, oldest first."""
    with connection.cursor(row_factory=class_row(Load)) as cursor:
        return cursor.execute(LOADS, [relation]).fetchall()


def find_load(connection: psycopg.Connection, relation: str, load_id: str) -> Load | None:
    """Return the load with that id if its table exists."""
    loads = read_loads(connection, relation)
    return next((load for load in loads if load.load_id == load_id and load.bytes), None)


def read_switches(connection: psycopg.Connection, relation: str) -> list[Switch]:
    """Return all switches of a relation, latest first."""
    with connection.cursor(row_factory=class_row(Switch)) as cursor:
        return cursor.execute(SWITCHES, [relation]).fetchall()


def active_switches(connection: psycopg.Connection, relation: str) -> list[Switch]:
    """Return the current switch and those that a rollback can return to, latest first, without undone ones."""
    return [switch for switch in read_switches(connection, relation) if not switch.undone_at]


def count_rows(connection: psycopg.Connection, table: str) -> int:
    """Return the number of rows of a table."""
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(qualified(table))).fetchone()
    return int(row[0]) if row else 0


def relation_kind(connection: psycopg.Connection, name: str) -> str:
    """Return the relkind of a name in the schema public (r: table, v: view), empty if it does not exist."""
    row = connection.execute(RELATION_KIND, [name]).fetchone()
    return str(row[0]) if row else ""


def table_of_view(connection: psycopg.Connection, view: str) -> str:
    """Return the table that a view reads, empty if there is no such view."""
    row = connection.execute(TABLE_OF_VIEW, [view]).fetchone()
    return str(row[0]) if row else ""


def qualified(name: str) -> sql.Identifier:
    """Return a name in the schema public, where readers look."""
    return sql.Identifier("public", name)
