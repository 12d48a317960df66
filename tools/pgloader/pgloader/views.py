"""The view that readers query: replaced with its grants and comment, never together with dependent objects."""

import dataclasses
import logging

import psycopg
from psycopg import sql
from stage.errors import DatabaseRefused

from pgloader.connection import act_as_owner, database_address
from pgloader.loads import Load, qualified, relation_kind, table_of_view
from pgloader.settings import MAX_IDENTIFIER

VIEW = sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT id, content, embedding, metadata FROM {}")
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
class _Properties:
    """Who may read a relation, and its comment."""

    readers: tuple[str, ...]
    comment: str | None


def point_view(connection: psycopg.Connection, relation: str, load: Load, is_ours: bool) -> None:
    """Point the view at a load; any other table or view of that name, unless ``is_ours``, is renamed.

    Raises DatabaseRefused with the names of dependent objects if the view cannot be replaced in place.
    """
    if table_of_view(connection, relation) == load.table_name:
        return
    kind = relation_kind(connection, relation)
    properties = None
    if kind and not (is_ours and kind == "v"):
        properties = _read_properties(connection, relation)
        _rename_existing(connection, relation)
        act_as_owner(connection)
    else:
        act_as_owner(connection)
        if kind and _dimension(connection, relation) != load.dimension:  # a view cannot change the type of a column
            properties = _read_properties(connection, relation)
            _refuse_dependents(connection, relation)
            connection.execute(sql.SQL("DROP VIEW {}").format(qualified(relation)))
    connection.execute(VIEW.format(qualified(relation), qualified(load.table_name)))
    if properties:
        for role in properties.readers:
            name = sql.SQL("PUBLIC") if role == "public" else sql.Identifier(role)
            connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(qualified(relation), name))
        comment = sql.SQL("COMMENT ON VIEW {} IS {}").format(qualified(relation), sql.Literal(properties.comment))
        connection.execute(comment)


def _read_properties(connection: psycopg.Connection, relation: str) -> _Properties:
    readers = connection.execute(GRANTEES, [relation]).fetchall()
    comment = connection.execute(COMMENT, [relation]).fetchone()
    return _Properties(tuple(role for (role,) in readers), comment[0] if comment else None)


def _dimension(connection: psycopg.Connection, relation: str) -> int:
    row = connection.execute(DIMENSION, [relation]).fetchone()
    return int(row[0]) if row else 0


def _rename_existing(connection: psycopg.Connection, relation: str) -> None:
    """Rename a table or view that pgloader did not make, and so must not drop."""
    _refuse_dependents(connection, relation)
    names = [f"{relation}_aside", *(f"{relation}_aside_{number}" for number in range(2, 100))]
    new_name = next(name for name in names if len(name) <= MAX_IDENTIFIER and not relation_kind(connection, name))
    rename = sql.SQL("ALTER TABLE {} RENAME TO {}").format(qualified(relation), sql.Identifier(new_name))
    connection.execute(rename)  # ALTER TABLE renames views too
    log.warning("%s already exists and was not made by pgloader: renamed to %s", relation, new_name)


def _refuse_dependents(connection: psycopg.Connection, relation: str) -> None:
    if dependents := ", ".join(name for (name,) in connection.execute(DEPENDENTS, [relation])):
        fix = f"drop {dependents}, switch, and create it again"
        raise DatabaseRefused(f"{database_address()} {relation}", f"{dependents} depends on it", fix)
