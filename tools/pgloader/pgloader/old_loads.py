"""Drop the loads that no rollback leads back to."""

import logging

import psycopg
from psycopg import errors, sql
from stage.errors import LockHeld

from pgloader.catalogue import Load, loads, meanings, qualified
from pgloader.connection import act_as_owner, transaction
from pgloader.locks import take_lock
from pgloader.settings import LoaderSettings

PATIENCE = "1s"  # nobody new reads an old load; who still does keeps it until the next switch
log = logging.getLogger(__name__)


def drop_old_loads(settings: LoaderSettings) -> tuple[str, ...]:
    """Drop loads made before the current one, except the last that the relation meant; return their tables.

    Newer ones may be waiting for their switch. Those that somebody reads or has built upon are left for the next time.
    """
    with transaction("drop") as connection:
        try:
            take_lock(connection, "switch", settings.relation)
        except LockHeld:
            return ()  # that one drops them
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [PATIENCE])
        act_as_owner(connection)
        old = _old(connection, settings)
        return tuple(load.table_name for load in old if _dropped(connection, load))


def _old(connection: psycopg.Connection, settings: LoaderSettings) -> list[Load]:
    every = loads(connection, settings.relation)
    meant = list(dict.fromkeys(switch.load_id for switch in meanings(connection, settings.relation)))
    ids = [load.load_id for load in every]
    if not meant or meant[0] not in ids:
        return []
    kept = meant[: settings.keep + 1]
    return [load for load in every[: ids.index(meant[0])] if load.load_id not in kept]


def _dropped(connection: psycopg.Connection, load: Load) -> bool:
    try:
        with connection.transaction():
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(qualified(load.table_name)))
            connection.execute("DELETE FROM public.registry_loads WHERE table_name = %s", [load.table_name])
    except (errors.LockNotAvailable, errors.DependentObjectsStillExist, errors.InsufficientPrivilege) as error:
        log.warning("%s is left for the next time: %s", load.table_name, error.diag.message_primary)
        return False
    return True
