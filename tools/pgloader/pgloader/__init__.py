"""Load embeddings into PostgreSQL as a version of its own, and switch between versions."""

from pgloader.catalogue import Load, Switch
from pgloader.load import LoadResult, load
from pgloader.receipts import Receipt
from pgloader.reconcile import ReconcileResult, reconcile
from pgloader.search import Answer, Hit, Question, SearchResult, search
from pgloader.settings import LoaderSettings
from pgloader.status import StatusResult, status
from pgloader.switch import Change, rollback, switch

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
