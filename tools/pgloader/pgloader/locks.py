"""One loader and one switcher of a relation at a time: advisory locks, which end with the transaction or its death."""

import psycopg
from stage.errors import LockHeld

from pgloader.connection import place

# Of two processes, the one that waits has nothing to do afterwards; so nobody waits.
TAKE = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
HOLDER = """
SELECT activity.pid, activity.application_name, date_trunc('second', activity.xact_start)::text
FROM pg_locks AS locks LEFT JOIN pg_stat_activity AS activity ON activity.pid = locks.pid
WHERE locks.locktype = 'advisory' AND locks.objsubid = 1 AND locks.granted
  AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (locks.classid::bigint << 32 | locks.objid::bigint) = hashtextextended(%s, 0)
"""


def take_lock(connection: psycopg.Connection, action: str, relation: str) -> None:
    """Take the lock of an action on a relation, or raise LockHeld naming who has it."""
    name = f"pgloader {action} public.{relation}"
    row = connection.execute(TAKE, [name]).fetchone()
    if row and row[0]:
        return
    holder = connection.execute(HOLDER, [name]).fetchone()
    who = f"process {holder[0]} of the server ({holder[1]}) since {holder[2]}" if holder else "a session that just left"
    raise LockHeld(f"{place()} {relation}", f"{action} is under way in {who}", "run it again once that one has ended")
