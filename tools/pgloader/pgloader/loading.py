"""Load a file into a table of its own, in one transaction: the table is there with its indexes, or not at all."""

import dataclasses
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import psycopg
import tenacity
from psycopg import sql
from stage.errors import DatabaseRefused, DatabaseUnreachable, LockHeld
from stage.progress import progress

from pgloader.catalogue import Load, count, find_load, kind_of, meanings, qualified
from pgloader.connection import act_as_owner, place, transaction
from pgloader.embeddings import FACTS, Embeddings
from pgloader.indexes import INDEXES, build_indexes, check_indexes
from pgloader.locks import take_lock
from pgloader.receipts import Receipt
from pgloader.refusals import OutcomeUnknown
from pgloader.rows import DIGEST, HEADER, TRAILER, binary_rows, checksum
from pgloader.settings import LoaderSettings, load_table

T = TypeVar("T")
# Rows up to half a page stay whole: nothing is compressed on the way in, or put together again on the way out.
TABLE = sql.SQL(
    "CREATE TABLE {} (id uuid NOT NULL, content text NOT NULL, embedding vector({}) NOT NULL, metadata jsonb NOT NULL)"
    " WITH (toast_tuple_target = 4080)"
)
# Nobody sees the table before the transaction ends, so its rows may be frozen at once: vacuum need not do it later.
COPY = sql.SQL("COPY {} (id, content, embedding, metadata) FROM STDIN (FORMAT binary, FREEZE)")
# The digests in a query of their own, which several processes share in.
CHECKSUM = sql.SQL(
    "SELECT count(*), encode(sha256(string_agg(digest, '' ORDER BY id)), 'hex')"
    " FROM (SELECT id, {} AS digest FROM {} ORDER BY id) AS digests"
)
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
        found, loaded = _load(embeddings, table, settings.relation)
    except OutcomeUnknown as lost:
        log.warning("%s; asking whether it was done", lost)
        found, loaded = _outcome(embeddings, settings.relation, lost), True
    _receipt(found, embeddings, settings.relation).write(receipt)
    return LoadResult(receipt.as_posix(), table, found.rows, loaded)


def _load(embeddings: Embeddings, table: str, relation: str) -> tuple[Load, bool]:
    with transaction("load") as connection:
        take_lock(connection, "load", relation)
        if found := _present(connection, embeddings, table, relation):
            return found, False
        act_as_owner(connection)
        connection.execute(TABLE.format(qualified(table), sql.Literal(embeddings.dimension)))
        expected = _copy(connection, embeddings, table)
        connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (id)").format(qualified(table)))
        _check(connection, embeddings, table, expected)
        log.info("building the indexes of %d rows", embeddings.rows)
        build_indexes(connection, table, embeddings.rows, embeddings.dimension)
        check_indexes(connection, table)
        facts = (embeddings.facts["source_data_version"], embeddings.facts["embedding_model"])
        record = [relation, embeddings.load_id, table, embeddings.rows, embeddings.dimension, expected, *facts]
        connection.execute(RECORD, record)
        made = find_load(connection, relation, embeddings.load_id)
        assert made  # just recorded  # noqa: S101
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


def _copy(connection: psycopg.Connection, embeddings: Embeddings, table: str) -> str:
    """Copy all rows, and return the checksum of what was sent."""
    digests: dict[bytes, bytes] = {}
    with (
        progress("load", embeddings.rows, "rows") as advance,
        connection.cursor() as cursor,
        cursor.copy(COPY.format(qualified(table))) as copy,
    ):
        copy.write(HEADER)
        for piece, of_rows in _ahead(binary_rows(embeddings)):
            copy.write(piece)
            digests |= of_rows
            advance(len(of_rows))
        found = checksum(digests)  # here, for a session that is idle too long is ended
        copy.write(TRAILER)
    return found


def _ahead(pieces: Iterator[T]) -> Iterator[T]:
    """Yield the pieces, making the next while the server takes the last."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, pieces, None)
        while (piece := coming.result()) is not None:
            coming = pool.submit(next, pieces, None)
            yield piece


def _check(connection: psycopg.Connection, embeddings: Embeddings, table: str, expected: str) -> None:
    rows, found = connection.execute(CHECKSUM.format(DIGEST, qualified(table))).fetchone() or (0, "")
    if (rows, found) != (embeddings.rows, expected):
        what = f"holds {rows} rows with checksum {found}, of {embeddings.rows} with {expected}"
        raise DatabaseRefused(f"{place()} {table}", what, "nothing was loaded; look for triggers, then load again")


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


def _receipt(found: Load, embeddings: Embeddings, relation: str) -> Receipt:
    return Receipt(
        relation=relation,
        table=found.table_name,
        load_id=found.load_id,
        rows=found.rows,
        dimension=found.dimension,
        checksum=found.checksum,
        indexes=INDEXES,
        **{name: embeddings.facts[name] for name in FACTS},
    )
