"""Change what the relation means, in one transaction with the note of it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import psycopg
import tenacity
from stage.errors import InputMissing, LockHeld, ReleaseRefused, UsageError

from pgloader.catalogue import find_load, meanings
from pgloader.connection import act_as_owner, place, transaction
from pgloader.locks import take_lock
from pgloader.old_loads import drop_old_loads
from pgloader.receipts import Receipt
from pgloader.refusals import OutcomeUnknown
from pgloader.settings import LoaderSettings
from pgloader.views import point

NOTE = "INSERT INTO public.registry_switches (relation, version, load_id, table_name) VALUES (%s, %s, %s, %s)"
UNDO = (
    "UPDATE public.registry_switches SET undone_at = clock_timestamp() WHERE id ="
    " (SELECT max(id) FROM public.registry_switches WHERE relation = %s AND undone_at IS NULL)"
)
ATTEMPTS = 8
SHORTEST, LONGEST = 0.2, 5.0  # seconds to wait for readers; new ones wait behind us, so the first attempts are short


@dataclasses.dataclass(frozen=True)
class Change:
    """What the relation means now and meant before, and which tables nobody keeps were dropped."""

    relation: str
    version: str
    table: str
    before: str = ""
    dropped: tuple[str, ...] = ()


def switch(receipt: Path, version: str, settings: LoaderSettings) -> Change:
    """Make the relation mean the load of a receipt, then drop the loads that nobody keeps.

    Raises ReleaseRefused for data that was never released, InputMissing where it is not loaded, LockHeld where readers
    did not let go, or what ``transaction`` and ``point`` do.
    """
    told = Receipt.read(receipt)
    if told.source_data_version == "workspace":
        fix = "set registry.version in params.yaml to a release, build and release that"
        raise ReleaseRefused(receipt, "comes from a working copy, which nobody can get again", fix)
    if told.relation != settings.relation:
        raise UsageError(receipt, f"is of {told.relation}, not of {settings.relation}", "run the stage pgloader again")
    if not version.strip() or len(version) > 200 or not version.isprintable():
        raise UsageError("--version", f"{version!r:.80} is no version", "name the release, as 1.0.0")

    def change(connection: psycopg.Connection) -> Change:
        before = meanings(connection, settings.relation)[:1]
        found = find_load(connection, settings.relation, told.load_id)
        if not found:
            raise InputMissing(f"{place()} {told.table}", "is not loaded", "make load, or pgloader load")
        point(connection, settings.relation, found, known=bool(before))
        if [(each.load_id, each.version) for each in before] != [(found.load_id, version)]:
            act_as_owner(connection)
            connection.execute(NOTE, [settings.relation, version, found.load_id, found.table_name])
        return Change(settings.relation, version, found.table_name, before[0].version if before else "")

    changed = _patiently(change, settings)
    return dataclasses.replace(changed, dropped=drop_old_loads(settings))


def rollback(settings: LoaderSettings) -> Change:
    """Make the relation mean what it meant before; again, what it meant before that.

    Raises ReleaseRefused where there is nothing before, or it is not kept any more.
    """

    def change(connection: psycopg.Connection) -> Change:
        where = f"{place()} {settings.relation}"
        meant = meanings(connection, settings.relation)
        if len(meant) < 2:
            told = f"means {meant[0].version}, and nothing came before" if meant else "has never been switched"
            raise ReleaseRefused(where, told, "pgloader status lists what is loaded; load and switch what you want")
        now, target = meant[:2]
        found = find_load(connection, settings.relation, target.load_id)
        if not found:
            fix = "load and switch that version again; a larger keep leaves more of them"
            raise ReleaseRefused(where, f"{target.version} came before, and is dropped by now", fix)
        point(connection, settings.relation, found, known=True)
        act_as_owner(connection)
        connection.execute(UNDO, [settings.relation])
        return Change(settings.relation, target.version, found.table_name, now.version)

    try:
        return _patiently(change, settings)
    except OutcomeUnknown as lost:  # a second one would go further back
        raise OutcomeUnknown(lost.where, lost.what, "see pgloader status: it may be done") from lost


def _patiently(change: Callable[[psycopg.Connection], Change], settings: LoaderSettings) -> Change:
    """Do the change in a transaction of its own, again and again while readers hold what it replaces."""
    for attempt in tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(0.2, max=3),
        retry=tenacity.retry_if_exception_type(LockHeld),
        reraise=True,
    ):
        with attempt, transaction("switch") as connection:
            take_lock(connection, "switch", settings.relation)
            seconds = min(SHORTEST * 2 ** (attempt.retry_state.attempt_number - 1), LONGEST)
            connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{round(1000 * seconds)}ms"])
            return change(connection)
    raise AssertionError  # reraise leaves no other way
