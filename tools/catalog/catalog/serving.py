"""Show the catalogue on a port of this machine alone."""

import functools
import http.server
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_registry.stage.errors import InputMissing, UsageError

from catalog.site import FOLDER

ADDRESS = "127.0.0.1"


def find_site(root: Path) -> Path:
    """Return the folder of the catalogue, or of the demo's, whichever was written last. Raises InputMissing."""
    pages = [folder / FOLDER / "index.html" for folder in (root, root / ".demo" / "repo")]
    there = [page for page in pages if page.is_file()]
    if not there:
        raise InputMissing(root / FOLDER, "there is no catalogue yet", "make catalog, or make demo")
    return max(there, key=lambda page: page.stat().st_mtime_ns).parent


@contextmanager
def serving(folder: Path, port: int) -> Iterator[http.server.ThreadingHTTPServer]:
    """Yield a server of the folder on a port of the loopback address, any free one for 0; it is not running yet.

    Raises UsageError where the port is taken.
    """
    handler = functools.partial(_Quiet, directory=str(folder))
    try:
        server = http.server.ThreadingHTTPServer((ADDRESS, port), handler)
    except OSError as error:
        raise UsageError("PORT", f"{port} cannot be used: {error.strerror}", "choose another: PORT=8081") from error
    with server:
        yield server


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """A handler that says nothing of each request, and lets browsers keep nothing: the site may be written anew."""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()
