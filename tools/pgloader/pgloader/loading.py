"""Load a file into a table of its own, in one transaction: the table is there with its indexes, or not at all."""

import dataclasses
import logging
from pathlib import Path

import psycopg
import tenacity
from psycopg import sql
from stage.errors import DatabaseRefused, DatabaseUnreachable, LockHeld

from pgloader.catalogue import Load, count, find_load, kind_of, meanings, qualified
from pgloader.connection import act_as_owner, place, transaction
from pgloader.embeddings import FACTS, Embeddings
from pgloader.indexes import INDEXES, build_indexes, check_indexes
from pgloader.locks import take_lock
from pgloader.receipts import Receipt
from pgloader.refusals import OutcomeUnknown
from pgloader.settings import LoaderSettings, load_table
from pgloader.tables import fill_table

RECORD = (
    "INSERT INTO public.registry_loads"
    " (relation, load_id, table_name, rows, dimension, checksum, source_data_version, embedding_model)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
)
PATIENCE = 45  # seconds to ask what became of a load: longer than the server holds on to one that nobody is at
log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class LoadResult:
    """What was loaded; ``loaded`` is false where it was there already."""

    receipt: str
    table: str
    rows: int
    loaded: bool


def load(path: Path, receipt: Path, settings: LoaderSettings) -> LoadResult:
    """Load the embeddings at ``path`` unless they are there, and write what is loaded, not where or when.

    Raises what ``Embeddings`` and ``transaction`` do, and DatabaseRefused where the table does not hold what the file
    does; nothing is left then.
    """
    embeddings = Embeddings.read(path)
    table = load_table(settings.relation, embeddings.load_id)
    try:
        checksum, loaded = _load(embeddings, table, settings.relation)
    except OutcomeUnknown as lost:
        log.warning("%s; asking whether it was done", lost)
        checksum, loaded = _outcome(embeddings, settings.relation, lost).checksum, True
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
    """Return the checksum of the rows, and whether they were not there before."""
    with transaction("load") as connection:
        take_lock(connection, "load", relation)
        if found := _present(connection, embeddings, table, relation):
            return found.checksum, False
        act_as_owner(connection)
        made = fill_table(connection, embeddings, table)
        log.info("building the indexes of %d rows", embeddings.rows)
        build_indexes(connection, table, embeddings.rows, embeddings.dimension)
        check_indexes(connection, table)
        facts = (embeddings.facts["source_data_version"], embeddings.facts["embedding_model"])
        record = [relation, embeddings.load_id, table, embeddings.rows, embeddings.dimension, made, *facts]
        connection.execute(RECORD, record)
        return made, True


def _present(connection: psycopg.Connection, embeddings: Embeddings, table: str, relation: str) -> Load | None:
    """Return the load if it is there with its rows; make room for it if its table is gone or damaged."""
    where = f"{place()} {table}"
    found = find_load(connection, relation, embeddings.load_id)
    if found and (rows := count(connection, table)) != found.rows:
        if any(switch.table_name == table for switch in meanings(connection, relation)[:1]):
            fix = "pgloader rollback, then load again"
            raise DatabaseRefused(where, f"{relation} means it, and it has {rows} of {found.rows} rows", fix)
        log.warning("%s has %d of %d rows: loading it again", table, rows, found.rows)
        connection.execute(sql.SQL("DROP TABLE {}").format(qualified(table)))
        found = None
    if not found:
        connection.execute("DELETE FROM public.registry_loads WHERE table_name = %s", [table])
        if kind_of(connection, table):
            raise DatabaseRefused(where, "exists, and no load has made it", "rename or drop it")
    return found


def _outcome(embeddings: Embeddings, relation: str, lost: OutcomeUnknown) -> Load:
    """Ask again what became of a load whose connection was cut: COMMIT may have been done, or be under way."""
    retry = tenacity.retry(
        stop=tenacity.stop_after_delay(PATIENCE),
        wait=tenacity.wait_exponential(0.2, max=2),
        retry=tenacity.retry_if_exception_type((DatabaseUnreachable, LockHeld)),
        reraise=True,
    )

    @retry
    def ask() -> Load | None:
        with transaction("load") as connection:
            take_lock(connection, "load", relation)  # else the other end may be busy with it still
            return find_load(connection, relation, embeddings.load_id)

    if found := ask():
        return found
    raise lost
