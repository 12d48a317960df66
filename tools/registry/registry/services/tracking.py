"""Connect to MLflow, with short timeouts, and translate its failures into errors with exit codes.

MLflow is imported lazily: that takes half a second.
"""

import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_registry.stage.errors import DatabaseRefused, NetworkFailed, SourceRefused, StageError, UsageError
from data_registry.stage.redaction import safe_url

if TYPE_CHECKING:
    from mlflow import MlflowClient

SETTINGS = {
    # A request whose response was lost may have been carried out: a retry would register a second time. And MLflow's
    # default, seven retries with two minutes each, is too long for a server that is down.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", "20"),  # seconds
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Artifacts come through the server: the address of its store may not be reachable from here.
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
BUSY = {429, 502, 503, 504}


def tracking_uri(root: Path) -> str:
    """Return MLFLOW_TRACKING_URI, or the URI of the SQLite file of ENV=local."""
    return os.environ.get("MLFLOW_TRACKING_URI") or embedded_uri(root)


def embedded_uri(root: Path) -> str:
    """Return the URI of the SQLite file of ENV=local, which MLflow creates."""
    file = embedded_file(root)
    file.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{file}"


def embedded_file(root: Path) -> Path:
    """Return the path of the SQLite file of ENV=local; it may not exist."""
    return root.resolve() / ".local" / "mlflow" / "mlflow.db"


@contextmanager
def recorded(root: Path) -> Iterator["MlflowClient"]:
    """Yield a client to read with; if ENV=local has no SQLite file yet, that of an empty, temporary one.

    So reading creates nothing in a clone, which may be another user's. Raises as ``connected`` does.
    """
    with tempfile.TemporaryDirectory() as folder:
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            file = embedded_file(root)
            uri = f"sqlite:///{file if file.exists() else f'{folder}/mlflow.db'}"
        with connected(uri) as client:
            yield client


@contextmanager
def connected(uri: str) -> Iterator["MlflowClient"]:
    """Yield a client of the server or SQLite file at ``uri``.

    Raises UsageError for any other URI, NetworkFailed, SourceRefused, or DatabaseRefused for a SQLite file.
    """
    if not re.match(r"https?://[^/]|sqlite:///.", uri):
        what = f"unsupported URI {safe_url(uri)!r}"
        raise UsageError("MLFLOW_TRACKING_URI", what, "use http://…, https://… or sqlite:///…")
    os.environ.update(SETTINGS)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    database_errors: tuple[type[Exception], ...] = ()
    if uri.startswith("sqlite:"):  # a server does not need its driver
        from sqlalchemy.exc import SQLAlchemyError

        database_errors = (SQLAlchemyError,)
    expected: tuple[type[Exception], ...] = (MlflowException, *database_errors)
    try:
        yield MlflowClient(uri, uri)
    except expected as error:
        raise _stage_error(uri, error, database_errors) from error


def paged(search: Callable[..., Any]) -> Iterator[Any]:
    """Yield what a search in MLflow finds, from all of its pages."""
    token = None
    while True:
        page = search(page_token=token)
        yield from page
        if not (token := page.token):
            return


def _stage_error(uri: str, error: Exception, database_errors: tuple[type[Exception], ...]) -> StageError:
    import requests

    causes = list(_causes(error))
    if refused := [cause for cause in causes if isinstance(cause, database_errors)]:
        what = str(refused[-1]).partition("\n")[0]
        return DatabaseRefused(uri, f"invalid MLflow database: {what}", "move the file away, then run again")
    lost = [type(cause).__name__ for cause in causes if isinstance(cause, requests.RequestException)]
    status = getattr(error, "get_http_status_code", int)()
    if lost or status in BUSY:
        fix = "docker compose up infra, or correct MLFLOW_TRACKING_URI, then run again"
        return NetworkFailed(safe_url(uri), f"no answer from MLflow ({lost[-1] if lost else status})", fix)
    return SourceRefused(safe_url(uri), f"MLflow refused: {error}", "fix that, then run again")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__
