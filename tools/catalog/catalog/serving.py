"""Serve the catalogue on this machine."""

import functools
import http.server
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_registry.stage.errors import InputMissing, UsageError

from catalog.site import FOLDER

ADDRESS = "127.0.0.1"


def find_site(root: Path) -> Path:
    """Return the folder of the newer catalogue: that of the clone or of the demo. Raises InputMissing."""
    indexes = [folder / FOLDER / "index.html" for folder in (root, root / ".demo" / "repo")]
    existing = [index for index in indexes if index.is_file()]
    if not existing:
        raise InputMissing(root / FOLDER, "catalogue not found", "run make catalog, or make demo")
    return max(existing, key=lambda index: index.stat().st_mtime_ns).parent


@contextmanager
def serving(folder: Path, port: int) -> Iterator[http.server.ThreadingHTTPServer]:
    """Yield a server of the folder on a port of the loopback address, any free one for 0; it is not started yet.

    Raises UsageError if the port is in use.
    """
    handler = functools.partial(_Handler, directory=str(folder))
    try:
        server = http.server.ThreadingHTTPServer((ADDRESS, port), handler)
    except OSError as error:
        fix = "use another, as PORT=8081"
        raise UsageError("PORT", f"cannot listen on port {port}: {error.strerror}", fix) from error
    with server:
        yield server


class _Handler(http.server.SimpleHTTPRequestHandler):
    """A handler without a log, whose responses are not cached: the site may be written again at any time."""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()
