"""Close connections that outlive their deadline, and all of them when the run stops.

A server that sends one byte at a time never runs into a socket's own timeout, so a thread watches the clock.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterable

INTERVAL = 0.25  # seconds between two checks


class Stopped(Exception):
    """The run is stopping."""


class Watchdog:
    """The open connections of one run, with their deadlines."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines: dict[socket.socket, float] = {}
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def guard(self, connection: socket.socket, seconds: float) -> None:
        """Shut a connection down after so many seconds, or when the run stops; a second call moves the deadline."""
        with self._lock:
            self.check()
            self._deadlines[connection] = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()

    def release(self, connection: socket.socket) -> None:
        """Stop guarding a connection."""
        with self._lock:
            self._deadlines.pop(connection, None)

    def check(self) -> None:
        """Raise Stopped if the run is stopping."""
        if self._stopped.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait; raise Stopped as soon as the run stops."""
        if self._stopped.wait(seconds):
            raise Stopped

    def stop(self) -> None:
        """End all waits and connections."""
        self._stopped.set()
        with self._lock:
            _shut_down(self._deadlines)

    def _watch(self) -> None:
        while not self._stopped.wait(INTERVAL):
            now = time.monotonic()
            with self._lock:
                _shut_down(connection for connection, deadline in self._deadlines.items() if deadline <= now)


def _shut_down(connections: Iterable[socket.socket]) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):  # the other side may have closed it
            # not SSLSocket.shutdown, which drops the TLS state while another thread is reading
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
