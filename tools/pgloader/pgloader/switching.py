"""Point the view at a load, or back at the one before, and drop the loads that no rollback needs."""

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path

import psycopg
import tenacity
from psycopg import errors, sql
from stage.errors import InputMissing, LockHeld, ReleaseRefused, UsageError

from pgloader.connection import act_as_owner, database_address, take_lock, transaction
from pgloader.database_errors import OutcomeUnknown
from pgloader.loads import Load, Receipt, active_switches, find_load, qualified, read_loads
from pgloader.settings import LoaderSettings
from pgloader.views import point_view

RECORD_SWITCH = "INSERT INTO public.registry_switches (relation, version, load_id, table_name) VALUES (%s, %s, %s, %s)"
UNDO_SWITCH = (
    "UPDATE public.registry_switches SET undone_at = clock_timestamp() WHERE id ="
    " (SELECT max(id) FROM public.registry_switches WHERE relation = %s AND undone_at IS NULL)"
)
ATTEMPTS = 8
# Seconds to wait for readers. New readers queue behind a waiting switch, so the first attempts are short.
MIN_LOCK_TIMEOUT, MAX_LOCK_TIMEOUT = 0.2, 5.0
DROP_LOCK_TIMEOUT = "1s"  # no new reader uses an old load; one that is still read is kept until the next switch
log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SwitchResult:
    """The version and table that the view points at, the version before, and the tables that were dropped."""

    relation: str
    version: str
    table: str
    before: str = ""
    dropped: tuple[str, ...] = ()


def switch(receipt_path: Path, version: str, settings: LoaderSettings) -> SwitchResult:
    """Point the view at the load of a receipt, then drop the loads that no rollback needs.

    Raises ReleaseRefused for data that was never released, InputMissing if it is not loaded, LockHeld if readers held
    the view for all attempts, or what ``transaction`` and ``point_view`` raise.
    """
    receipt = Receipt.read(receipt_path)
    if receipt.source_data_version == "workspace":
        fix = "set registry.version in params.yaml to a release, then build and release this dataset"
        raise ReleaseRefused(receipt_path, "was made from a working copy, not from a release", fix)
    if receipt.relation != settings.relation:
        what = f"expected relation {settings.relation}, got {receipt.relation}"
        raise UsageError(receipt_path, what, "run the stage pgloader again")
    if not version.strip() or len(version) > 200 or not version.isprintable():
        raise UsageError("--version", f"invalid version {version!r:.80}", "use the name of a release, such as 1.0.0")

    def change(connection: psycopg.Connection) -> SwitchResult:
        current = active_switches(connection, settings.relation)[:1]
        load = find_load(connection, settings.relation, receipt.load_id)
        if not load:
            raise InputMissing(f"{database_address()} {receipt.table}", "is not loaded", "make load, or pgloader load")
        point_view(connection, settings.relation, load, is_ours=bool(current))
        if [(each.load_id, each.version) for each in current] != [(load.load_id, version)]:
            act_as_owner(connection)
            connection.execute(RECORD_SWITCH, [settings.relation, version, load.load_id, load.table_name])
        return SwitchResult(settings.relation, version, load.table_name, current[0].version if current else "")

    result = _retry_while_locked(change, settings)
    return dataclasses.replace(result, dropped=_drop_old_loads(settings))


def rollback(settings: LoaderSettings) -> SwitchResult:
    """Point the view at the load before the current one; called again, at the one before that.

    Raises ReleaseRefused if there is no load before, or it was dropped.
    """

    def change(connection: psycopg.Connection) -> SwitchResult:
        where = f"{database_address()} {settings.relation}"
        switches = active_switches(connection, settings.relation)
        if len(switches) < 2:
            what = f"no version before {switches[0].version}" if switches else "has never been switched"
            raise ReleaseRefused(where, what, "see the loads with pgloader status; load and switch another version")
        current, target = switches[:2]
        load = find_load(connection, settings.relation, target.load_id)
        if not load:
            fix = "load and switch to that version again; set a larger keep to keep more loads"
            raise ReleaseRefused(where, f"the load of the version before, {target.version}, was dropped", fix)
        point_view(connection, settings.relation, load, is_ours=True)
        act_as_owner(connection)
        connection.execute(UNDO_SWITCH, [settings.relation])
        return SwitchResult(settings.relation, target.version, load.table_name, current.version)

    try:
        return _retry_while_locked(change, settings)
    except OutcomeUnknown as error:  # a second rollback would go one version further back
        raise OutcomeUnknown(error.where, error.what, "check pgloader status: it may be done") from error


def _retry_while_locked(change: Callable[[psycopg.Connection], SwitchResult], settings: LoaderSettings) -> SwitchResult:
    """Run ``change`` in a transaction of its own, up to ATTEMPTS times while readers hold a lock on the view."""
    for attempt in tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(0.2, max=3),
        retry=tenacity.retry_if_exception_type(LockHeld),
        reraise=True,
    ):
        with attempt, transaction("switch") as connection:
            take_lock(connection, "switch", settings.relation)
            seconds = min(MIN_LOCK_TIMEOUT * 2 ** (attempt.retry_state.attempt_number - 1), MAX_LOCK_TIMEOUT)
            connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{round(1000 * seconds)}ms"])
            return change(connection)
    raise AssertionError  # unreachable: reraise=True


def _drop_old_loads(settings: LoaderSettings) -> tuple[str, ...]:
    """Drop loads older than the current one, except the last ``keep``, and return their tables.

    Newer loads may wait for their switch. A load that is read, or that another object depends on, is kept until the
    next switch.
    """
    with transaction("drop") as connection:
        try:
            take_lock(connection, "switch", settings.relation)
        except LockHeld:
            return ()  # the other switch drops them
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [DROP_LOCK_TIMEOUT])
        act_as_owner(connection)
        return tuple(load.table_name for load in _old_loads(connection, settings) if _drop(connection, load))


def _old_loads(connection: psycopg.Connection, settings: LoaderSettings) -> list[Load]:
    loads = read_loads(connection, settings.relation)
    switched = list(dict.fromkeys(switch.load_id for switch in active_switches(connection, settings.relation)))
    load_ids = [load.load_id for load in loads]
    if not switched or switched[0] not in load_ids:
        return []
    return [load for load in loads[: load_ids.index(switched[0])] if load.load_id not in switched[: settings.keep + 1]]


def _drop(connection: psycopg.Connection, load: Load) -> bool:
    try:
        with connection.transaction():
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(qualified(load.table_name)))
            connection.execute("DELETE FROM public.registry_loads WHERE table_name = %s", [load.table_name])
    except (errors.LockNotAvailable, errors.DependentObjectsStillExist, errors.InsufficientPrivilege) as error:
        log.warning("%s is kept until the next switch: %s", load.table_name, error.diag.message_primary)
        return False
    return True
