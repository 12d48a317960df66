"""MLflow's client: where it finds its server, that it gives up soon, and its failures as stage errors.

MLflow is imported where it is used alone: that takes half a second.
"""

import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from data_registry.stage.errors import DatabaseRefused, NetworkFailed, SourceRefused, StageError, UsageError
from data_registry.stage.redaction import safe_url

if TYPE_CHECKING:
    from mlflow import MlflowClient

SETTINGS = {
    # A request whose answer is lost was carried out, perhaps: sent again, it registers a second time. And MLflow's own
    # choice, seven more tries of two minutes each, keeps people waiting for a server that is not there.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", "20"),  # seconds
    "MLFLOW_CONFIGURE_LOGGING": "false",  # it is this tool that talks
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Artifacts come through the server: the store's own address, which it would hand out, may be one of its network.
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
BUSY = {429, 502, 503, 504}


def tracking_uri(root: Path) -> str:
    """Return MLFLOW_TRACKING_URI, or else the address of the records of ENV=local."""
    return os.environ.get("MLFLOW_TRACKING_URI") or embedded_uri(root)


def embedded_uri(root: Path) -> str:
    """Return the address of the records of ENV=local, which MLflow makes itself."""
    file = embedded_file(root)
    file.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{file}"


def embedded_file(root: Path) -> Path:
    """Return the path of the records of ENV=local, a SQLite file in ``.local/``, whether it is there or not."""
    return root.resolve() / ".local" / "mlflow" / "mlflow.db"


@contextmanager
def recorded(root: Path) -> Iterator[str]:
    """Yield the address to read records from. Where ENV=local has none yet, it is that of empty ones, which go again.

    So reading makes nothing in a clone, which may be another user's.
    """
    file = embedded_file(root)
    if given := os.environ.get("MLFLOW_TRACKING_URI"):
        yield given
    elif file.exists():
        yield f"sqlite:///{file}"
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/mlflow.db"


@contextmanager
def connected(uri: str) -> Iterator["MlflowClient"]:
    """Yield a client of the server or SQLite file at ``uri``.

    Raises UsageError for another kind of address, NetworkFailed, SourceRefused, or DatabaseRefused for a SQLite file.
    """
    if not re.match(r"https?://[^/]|sqlite:///.", uri):
        raise UsageError(
            "MLFLOW_TRACKING_URI", f"{safe_url(uri)!r} is no address", "use http://…, https://… or sqlite:///…"
        )
    os.environ.update(SETTINGS)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    for talkative in ("mlflow", "alembic"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    of_database = _database_errors(uri)
    expected: tuple[type[Exception], ...] = (MlflowException, *of_database)
    try:
        yield MlflowClient(uri, uri)
    except expected as error:
        raise _stage_error(uri, error, of_database) from error


def _database_errors(uri: str) -> tuple[type[Exception], ...]:
    """Return what SQLite's driver raises; who talks to a server may do without it."""
    if not uri.startswith("sqlite:"):
        return ()
    from sqlalchemy.exc import SQLAlchemyError

    return (SQLAlchemyError,)


def _stage_error(uri: str, error: Exception, of_database: tuple[type[Exception], ...]) -> StageError:
    import requests

    causes = list(_causes(error))
    if found := [cause for cause in causes if isinstance(cause, of_database)]:
        what = str(found[-1]).partition("\n")[0]
        return DatabaseRefused(uri, f"MLflow cannot use it: {what}", "move that file away, then run again")
    lost = [type(cause).__name__ for cause in causes if isinstance(cause, requests.RequestException)]
    status = getattr(error, "get_http_status_code", int)()
    if lost or status in BUSY:
        fix = "docker compose up infra, or correct MLFLOW_TRACKING_URI, then run again"
        return NetworkFailed(safe_url(uri), f"MLflow does not answer ({lost[-1] if lost else status})", fix)
    return SourceRefused(safe_url(uri), f"MLflow refused: {error}", "correct that, then run again")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__
