"""Load a file into a table of its own, in one transaction."""

import dataclasses
import logging
from pathlib import Path

import psycopg
import tenacity
from psycopg import sql
from stage.errors import DatabaseRefused, DatabaseUnreachable, LockHeld

from pgloader.connection import act_as_owner, database_address, take_lock, transaction
from pgloader.database_errors import OutcomeUnknown
from pgloader.embeddings import FACTS, Embeddings
from pgloader.indexes import INDEXES, build_indexes, check_indexes
from pgloader.loads import Load, Receipt, active_switches, count_rows, find_load, qualified, relation_kind
from pgloader.settings import LoaderSettings, load_table
from pgloader.tables import fill_table

RECORD_LOAD = (
    "INSERT INTO public.registry_loads"
    " (relation, load_id, table_name, rows, dimension, checksum, source_data_version, embedding_model)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
)
OUTCOME_TIMEOUT = 45  # seconds; longer than the server takes to roll back a session whose client is gone
log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class LoadResult:
    """What was loaded; ``loaded`` is false if it was already there."""

    receipt: str
    table: str
    rows: int
    loaded: bool


def load(path: Path, receipt: Path, settings: LoaderSettings) -> LoadResult:
    """Load the embeddings at ``path`` unless they are already loaded, and write the receipt.

    Raises what ``Embeddings`` and ``transaction`` raise, and DatabaseRefused if the table differs from the file, which
    rolls the load back.
    """
    embeddings = Embeddings.read(path)
    table = load_table(settings.relation, embeddings.load_id)
    try:
        checksum, loaded = _load(embeddings, table, settings.relation)
    except OutcomeUnknown as error:
        log.warning("%s; checking whether the load was committed", error)
        checksum, loaded = _committed_load(embeddings, settings.relation, error).checksum, True
    Receipt(
        relation=settings.relation,
        table=table,
        load_id=embeddings.load_id,
        rows=embeddings.rows,
        dimension=embeddings.dimension,
        checksum=checksum,
        indexes=INDEXES,
        **{name: embeddings.facts[name] for name in FACTS},
    ).write(receipt)
    return LoadResult(receipt.as_posix(), table, embeddings.rows, loaded)


def _load(embeddings: Embeddings, table: str, relation: str) -> tuple[str, bool]:
    """Return the checksum of the rows, and whether they were loaded now."""
    with transaction("load") as connection:
        take_lock(connection, "load", relation)
        if existing := _existing_load(connection, embeddings, table, relation):
            return existing.checksum, False
        act_as_owner(connection)
        checksum = fill_table(connection, embeddings, table)
        log.info("building the indexes of %d rows", embeddings.rows)
        build_indexes(connection, table, embeddings.rows, embeddings.dimension)
        check_indexes(connection, table)
        facts = (embeddings.facts["source_data_version"], embeddings.facts["embedding_model"])
        values = [relation, embeddings.load_id, table, embeddings.rows, embeddings.dimension, checksum, *facts]
        connection.execute(RECORD_LOAD, values)
        return checksum, True


def _existing_load(connection: psycopg.Connection, embeddings: Embeddings, table: str, relation: str) -> Load | None:
    """Return the load if all its rows are there; otherwise remove what is left of it."""
    where = f"{database_address()} {table}"
    existing = find_load(connection, relation, embeddings.load_id)
    if existing and (rows := count_rows(connection, table)) != existing.rows:
        if any(switch.table_name == table for switch in active_switches(connection, relation)[:1]):
            what = f"{relation} points at it, and it has {rows} of {existing.rows} rows"
            raise DatabaseRefused(where, what, "pgloader rollback, then load again")
        log.warning("%s has %d of %d rows: loading it again", table, rows, existing.rows)
        connection.execute(sql.SQL("DROP TABLE {}").format(qualified(table)))
        existing = None
    if not existing:
        connection.execute("DELETE FROM public.registry_loads WHERE table_name = %s", [table])
        if relation_kind(connection, table):
            raise DatabaseRefused(where, "already exists, and was not made by pgloader", "rename or drop it")
    return existing


def _committed_load(embeddings: Embeddings, relation: str, error: OutcomeUnknown) -> Load:
    """Return the load if it was committed although the connection was lost, otherwise raise ``error``."""
    retry = tenacity.retry(
        stop=tenacity.stop_after_delay(OUTCOME_TIMEOUT),
        wait=tenacity.wait_exponential(0.2, max=2),
        retry=tenacity.retry_if_exception_type((DatabaseUnreachable, LockHeld)),
        reraise=True,
    )

    @retry
    def read() -> Load | None:
        with transaction("load") as connection:
            take_lock(connection, "load", relation)  # the first session may still be committing
            return find_load(connection, relation, embeddings.load_id)

    if load := read():
        return load
    raise error
