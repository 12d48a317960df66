"""What the database knows of loads and switches: registry_loads, registry_switches, and the relations themselves."""

import dataclasses

import psycopg
from psycopg import sql
from psycopg.rows import class_row

HISTORY = """
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


@dataclasses.dataclass(frozen=True)
class Load:
    """A file's rows in a table of their own; ``bytes`` counts its indexes, and is 0 where the table is gone."""

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
    """Since when the relation means a load, and when a rollback undid that."""

    version: str
    load_id: str
    table_name: str
    switched_at: str
    undone_at: str | None


def loads(connection: psycopg.Connection, relation: str) -> list[Load]:
    """Return the loads of a relation, in the order in which they were made."""
    with connection.cursor(row_factory=class_row(Load)) as cursor:
        return cursor.execute(LOADS, [relation]).fetchall()


def find_load(connection: psycopg.Connection, relation: str, load_id: str) -> Load | None:
    """Return the load of that id, if its table is there."""
    return next((load for load in loads(connection, relation) if load.load_id == load_id and load.bytes), None)


def history(connection: psycopg.Connection, relation: str) -> list[Switch]:
    """Return what the relation has meant, latest first."""
    with connection.cursor(row_factory=class_row(Switch)) as cursor:
        return cursor.execute(HISTORY, [relation]).fetchall()


def meanings(connection: psycopg.Connection, relation: str) -> list[Switch]:
    """Return what the relation means, and what rollbacks lead back to, without what they undid."""
    return [switch for switch in history(connection, relation) if not switch.undone_at]


def count(connection: psycopg.Connection, table: str) -> int:
    """Return the number of rows."""
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(qualified(table))).fetchone()
    return int(row[0]) if row else 0


def kind_of(connection: psycopg.Connection, name: str) -> str:
    """Return what a name means in the schema, as pg_class has it: r for a table, v for a view, or nothing."""
    found = "SELECT relkind::text FROM pg_class WHERE relname = %s AND relnamespace = 'public'::regnamespace"
    row = connection.execute(found, [name]).fetchone()
    return str(row[0]) if row else ""


def qualified(name: str) -> sql.Identifier:
    """Return a name of the schema that readers look in."""
    return sql.Identifier("public", name)
