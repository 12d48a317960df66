"""Compare what a load's table holds with its file, row by row."""

import dataclasses
import uuid
from pathlib import Path

from psycopg import sql
from stage.errors import InputMissing, VerificationFailed

from pgloader.catalogue import find_load, qualified
from pgloader.connection import place, transaction
from pgloader.embeddings import Embeddings
from pgloader.indexes import check_indexes
from pgloader.rows import DIGEST, binary_rows
from pgloader.settings import LoaderSettings

NAMED = 20  # ids that a message names


@dataclasses.dataclass(frozen=True)
class ReconcileResult:
    """A table that holds what its file does, with its indexes."""

    table: str
    rows: int


def reconcile(path: Path, settings: LoaderSettings) -> ReconcileResult:
    """Compare ids, texts, vectors and metadata.

    Raises VerificationFailed naming the rows that are missing, surplus or changed, or InputMissing where the file is
    not loaded.
    """
    embeddings = Embeddings.read(path)
    wanted: dict[bytes, bytes] = {}
    for _, digests in binary_rows(embeddings):
        wanted |= digests
    with transaction("reconcile", read_only=True) as connection:
        load = find_load(connection, settings.relation, embeddings.load_id)
        if not load:
            raise InputMissing(f"{place()} {path}", "is not loaded", "make load, or pgloader load")
        select = sql.SQL("SELECT id, {} FROM {}").format(DIGEST, qualified(load.table_name))
        found = {each.bytes: bytes(digest) for each, digest in connection.execute(select)}
        where = f"{place()} {load.table_name}"
        _compare(wanted, found, where)
        check_indexes(connection, load.table_name)
    return ReconcileResult(load.table_name, len(found))


def _compare(wanted: dict[bytes, bytes], found: dict[bytes, bytes], where: str) -> None:
    kinds = {
        "missing": wanted.keys() - found.keys(),
        "surplus": found.keys() - wanted.keys(),
        "changed": {each for each in wanted.keys() & found.keys() if wanted[each] != found[each]},
    }
    if faults := {kind: sorted(ids) for kind, ids in kinds.items() if ids}:
        told = "; ".join(f"{len(ids)} {kind}: {_named(ids)}" for kind, ids in faults.items())
        fix = "pgloader rollback if readers see this table, drop it, and load it again"
        raise VerificationFailed(where, told, fix)


def _named(ids: list[bytes]) -> str:
    named = ", ".join(str(uuid.UUID(bytes=each)) for each in ids[:NAMED])
    return f"{named}, …" if len(ids) > NAMED else named
