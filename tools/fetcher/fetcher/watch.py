"""End connections that outlive their deadline, and all of them when the run stops.

A server that drips one byte at a time never runs into a socket's own timeout, so a thread looks at the clock.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterable

from fetcher.failures import Stopped

TICK = 0.25  # seconds between two looks at the clock


class Watch:
    """The open connections of one run, with their deadlines."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines: dict[socket.socket, float] = {}
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def guard(self, line: socket.socket, seconds: float) -> None:
        """Shut ``line`` down after so many seconds, or when the run stops; a second call moves the deadline."""
        with self._lock:
            self.check()
            self._deadlines[line] = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
                self._thread.start()

    def release(self, line: socket.socket) -> None:
        """Leave ``line`` alone from now on."""
        with self._lock:
            self._deadlines.pop(line, None)

    def check(self) -> None:
        """Raise Stopped if the run is stopping."""
        if self._stopped.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait, but raise Stopped as soon as the run stops."""
        if self._stopped.wait(seconds):
            raise Stopped

    def stop(self) -> None:
        """End every wait and every connection."""
        self._stopped.set()
        with self._lock:
            _shut(self._deadlines)

    def _look(self) -> None:
        while not self._stopped.wait(TICK):
            now = time.monotonic()
            with self._lock:
                _shut(line for line, deadline in self._deadlines.items() if deadline <= now)


def _shut(lines: Iterable[socket.socket]) -> None:
    for line in lines:
        with contextlib.suppress(OSError):  # the other side may have closed it
            # not SSLSocket.shutdown, which takes the TLS state away under a thread that is reading
            socket.socket.shutdown(line, socket.SHUT_RDWR)
