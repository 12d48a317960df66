"""Compare the table of a load with its file, row by row."""

import dataclasses
import uuid
from pathlib import Path

from psycopg import sql
from stage.errors import InputMissing, VerificationFailed

from pgloader.connection import database_address, transaction
from pgloader.embeddings import Embeddings
from pgloader.indexes import check_indexes
from pgloader.loads import find_load, qualified
from pgloader.rows import DIGEST, binary_rows
from pgloader.settings import LoaderSettings

MAX_IDS = 20  # in a message


@dataclasses.dataclass(frozen=True)
class ReconcileResult:
    """A table that equals its file and has its indexes."""

    table: str
    rows: int


def reconcile(path: Path, settings: LoaderSettings) -> ReconcileResult:
    """Compare ids, contents, vectors and metadata of a table with its file.

    Raises VerificationFailed with the ids of missing, surplus and changed rows, or InputMissing if the file is not
    loaded.
    """
    embeddings = Embeddings.read(path)
    expected: dict[bytes, bytes] = {}
    for _, digests in binary_rows(embeddings):
        expected |= digests
    with transaction("reconcile", read_only=True) as connection:
        load = find_load(connection, settings.relation, embeddings.load_id)
        if not load:
            raise InputMissing(f"{database_address()} {path}", "is not loaded", "make load, or pgloader load")
        select = sql.SQL("SELECT id, {} FROM {}").format(DIGEST, qualified(load.table_name))
        actual = {row_id.bytes: bytes(digest) for row_id, digest in connection.execute(select)}
        _compare(expected, actual, f"{database_address()} {load.table_name}")
        check_indexes(connection, load.table_name)
    return ReconcileResult(load.table_name, len(actual))


def _compare(expected: dict[bytes, bytes], actual: dict[bytes, bytes], where: str) -> None:
    """Compare row digests by row id."""
    differences = {
        "missing": expected.keys() - actual.keys(),
        "surplus": actual.keys() - expected.keys(),
        "changed": {row_id for row_id in expected.keys() & actual.keys() if expected[row_id] != actual[row_id]},
    }
    if summary := "; ".join(f"{len(ids)} {kind}: {_listed(ids)}" for kind, ids in differences.items() if ids):
        fix = "pgloader rollback if the view points at this table, drop the table, and load it again"
        raise VerificationFailed(where, summary, fix)


def _listed(ids: set[bytes]) -> str:
    names = ", ".join(str(uuid.UUID(bytes=row_id)) for row_id in sorted(ids)[:MAX_IDS])
    return f"{names}, …" if len(ids) > MAX_IDS else names
