"""The view by which readers know a load: replaced with its grants and comment, never with what depends on it."""

import dataclasses
import logging

import psycopg
from psycopg import sql
from stage.errors import DatabaseRefused

from pgloader.catalogue import Load, kind_of, qualified
from pgloader.connection import act_as_owner, place
from pgloader.settings import LONGEST

VIEW = sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT id, content, embedding, metadata FROM {}")
READS = """
SELECT read.relname FROM pg_rewrite
JOIN pg_depend ON pg_depend.classid = 'pg_rewrite'::regclass AND pg_depend.objid = pg_rewrite.oid
JOIN pg_class AS read ON pg_depend.refclassid = 'pg_class'::regclass AND read.oid = pg_depend.refobjid
WHERE pg_rewrite.ev_class = to_regclass(format('public.%%I', %s::text)) AND read.oid <> pg_rewrite.ev_class LIMIT 1
"""
DEPENDENTS = """
SELECT DISTINCT pg_rewrite.ev_class::regclass::text FROM pg_rewrite
JOIN pg_depend ON pg_depend.classid = 'pg_rewrite'::regclass AND pg_depend.objid = pg_rewrite.oid
WHERE pg_depend.refclassid = 'pg_class'::regclass AND pg_depend.refobjid = to_regclass(format('public.%%I', %s::text))
  AND pg_rewrite.ev_class <> pg_depend.refobjid ORDER BY 1
"""
DIMENSION = """
SELECT atttypmod FROM pg_attribute
WHERE attrelid = to_regclass(format('public.%%I', %s::text)) AND attname = 'embedding'
"""
GRANTEES = """
SELECT DISTINCT coalesce(pg_roles.rolname, 'public') FROM pg_class
CROSS JOIN aclexplode(pg_class.relacl) AS granted LEFT JOIN pg_roles ON pg_roles.oid = granted.grantee
WHERE pg_class.oid = to_regclass(format('public.%%I', %s::text)) AND granted.privilege_type = 'SELECT'
"""
COMMENT = "SELECT obj_description(to_regclass(format('public.%%I', %s::text)), 'pg_class')"
log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Dressing:
    """What a relation has beside its content: who may read it, and its comment."""

    readers: tuple[str, ...]
    comment: str | None


def table_of_view(connection: psycopg.Connection, relation: str) -> str:
    """Return the table that the view of this name reads; nothing where there is no view."""
    row = connection.execute(READS, [relation]).fetchone()
    return str(row[0]) if row else ""


def point(connection: psycopg.Connection, relation: str, load: Load, known: bool) -> None:
    """Make the relation mean a load; what else has its name, unless it is ``known`` to be ours, is renamed.

    Raises DatabaseRefused naming what depends on a relation that cannot be replaced in place.
    """
    if table_of_view(connection, relation) == load.table_name:
        return
    kind = kind_of(connection, relation)
    kept = None
    if kind and not (known and kind == "v"):
        kept = _dressing(connection, relation)
        _set_aside(connection, relation)
        act_as_owner(connection)
    else:
        act_as_owner(connection)
        if kind and _dimension(connection, relation) != load.dimension:  # of a column, a view cannot change the type
            kept = _dressing(connection, relation)
            _refuse_dependents(connection, relation)
            connection.execute(sql.SQL("DROP VIEW {}").format(qualified(relation)))
    connection.execute(VIEW.format(qualified(relation), qualified(load.table_name)))
    if kept:
        for role in kept.readers:
            name = sql.SQL("PUBLIC") if role == "public" else sql.Identifier(role)
            connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(qualified(relation), name))
        comment = sql.SQL("COMMENT ON VIEW {} IS {}").format(qualified(relation), sql.Literal(kept.comment))
        connection.execute(comment)


def _dressing(connection: psycopg.Connection, relation: str) -> _Dressing:
    readers = connection.execute(GRANTEES, [relation]).fetchall()
    comment = connection.execute(COMMENT, [relation]).fetchone()
    return _Dressing(tuple(role for (role,) in readers), comment[0] if comment else None)


def _dimension(connection: psycopg.Connection, relation: str) -> int:
    row = connection.execute(DIMENSION, [relation]).fetchone()
    return int(row[0]) if row else 0


def _set_aside(connection: psycopg.Connection, relation: str) -> None:
    """Rename what an earlier registry, or somebody else, has called so: it is nobody's to drop."""
    _refuse_dependents(connection, relation)
    aside = next(name for name in _names_aside(relation) if not kind_of(connection, name))
    rename = sql.SQL("ALTER TABLE {} RENAME TO {}").format(qualified(relation), sql.Identifier(aside))
    connection.execute(rename)  # of a view, too
    log.warning("%s was there before the registry: it is called %s now", relation, aside)


def _names_aside(relation: str) -> list[str]:
    names = [f"{relation}_aside", *(f"{relation}_aside_{number}" for number in range(2, 100))]
    return [name for name in names if len(name) <= LONGEST]


def _refuse_dependents(connection: psycopg.Connection, relation: str) -> None:
    if found := [name for (name,) in connection.execute(DEPENDENTS, [relation])]:
        fix = f"drop {', '.join(found)}, switch, and make it again"
        raise DatabaseRefused(f"{place()} {relation}", f"{', '.join(found)} depends on it", fix)
