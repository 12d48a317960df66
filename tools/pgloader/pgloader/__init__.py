"""Load embeddings into PostgreSQL as versions, and switch readers between versions."""

from pgloader.loading import LoadResult, load
from pgloader.loads import Load, Receipt, StatusResult, Switch, status
from pgloader.reconciling import ReconcileResult, reconcile
from pgloader.searching import Hit, Query, QueryHits, SearchResult, search
from pgloader.settings import LoaderSettings
from pgloader.switching import SwitchResult, rollback, switch

__all__ = [
    "Hit",
    "Load",
    "LoadResult",
    "LoaderSettings",
    "Query",
    "QueryHits",
    "Receipt",
    "ReconcileResult",
    "SearchResult",
    "StatusResult",
    "Switch",
    "SwitchResult",
    "load",
    "reconcile",
    "rollback",
    "search",
    "status",
    "switch",
]
