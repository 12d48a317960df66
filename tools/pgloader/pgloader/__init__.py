"""Load embeddings into PostgreSQL as a version of its own, and switch between versions."""

from pgloader.catalogue import Load, Switch
from pgloader.loading import LoadResult, load
from pgloader.overview import StatusResult, status
from pgloader.receipts import Receipt
from pgloader.reconciling import ReconcileResult, reconcile
from pgloader.searching import Answer, Hit, Question, SearchResult, search
from pgloader.settings import LoaderSettings
from pgloader.switching import Change, rollback, switch

__all__ = [
    "Answer",
    "Change",
    "Hit",
    "Load",
    "LoadResult",
    "LoaderSettings",
    "Question",
    "Receipt",
    "ReconcileResult",
    "SearchResult",
    "StatusResult",
    "Switch",
    "load",
    "reconcile",
    "rollback",
    "search",
    "status",
    "switch",
]
