"""Say what the database holds for a relation."""

import dataclasses

from pgloader.catalogue import Load, Switch, history, loads
from pgloader.connection import transaction
from pgloader.settings import LoaderSettings
from pgloader.views import table_of_view


@dataclasses.dataclass(frozen=True)
class StatusResult:
    """The loads in the order in which they were made, the switches latest first, and which of both is current."""

    relation: str
    table: str
    version: str
    loads: tuple[Load, ...]
    history: tuple[Switch, ...]


def status(settings: LoaderSettings) -> StatusResult:
    """Return what is loaded, what the relation means, and what it has meant."""
    with transaction("status", read_only=True) as connection:
        table = table_of_view(connection, settings.relation)
        switches = history(connection, settings.relation)
        version = next((each.version for each in switches if not each.undone_at and each.table_name == table), "")
        return StatusResult(
            settings.relation, table, version, tuple(loads(connection, settings.relation)), tuple(switches)
        )
