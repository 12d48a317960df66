"""A link that can be cut: a TCP proxy on this machine in front of a port of it."""

import contextlib
import math
import socket
import threading
import time
from typing import Final

UP: Final = "up"  # what the client sends
DOWN: Final = "down"  # what it gets


class Proxy:
    """Forwards connections to a port, counts their bytes, and falls silent after as many as it is told."""

    def __init__(self, port: int) -> None:
        self.passed = {UP: 0, DOWN: 0}
        self.pause = 0.0  # seconds before each piece: a slow link
        self._port = port
        self._limit: dict[str, float] = {}
        self._is_cut = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def is_cut(self) -> bool:
        return self._is_cut

    def cut_after(self, count: int, direction: str) -> None:
        """Cut the link once so many more bytes have passed that way: every connection ends, new ones are refused."""
        with self._lock:
            self.passed = {UP: 0, DOWN: 0}
            self._limit = {direction: count}

    def heal(self) -> None:
        """Let everything pass again, and count anew."""
        with self._lock:
            self.passed = {UP: 0, DOWN: 0}
            self._limit = {}
            self._is_cut = False

    def close(self) -> None:
        self._listener.close()
        self._cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._port), timeout=5)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                with self._lock:
                    self._open |= {client, server}
                if self._is_cut:
                    self._cut()
                for each in ((client, server, UP), (server, client, DOWN)):
                    threading.Thread(target=self._forward, args=each, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        with contextlib.suppress(OSError):  # the other direction has closed them
            while piece := source.recv(1 << 16):
                time.sleep(self.pause)
                with self._lock:
                    left = self._limit.get(direction, math.inf) - self.passed[direction]
                    piece = piece[: int(min(len(piece), max(left, 0)))]
                    self.passed[direction] += len(piece)
                target.sendall(piece)
                if self.passed[direction] >= self._limit.get(direction, math.inf):
                    self._cut()
        for each in (source, target):
            _end(each)
        with self._lock:
            self._open -= {source, target}

    def _cut(self) -> None:
        with self._lock:
            self._is_cut = True
            for each in self._open:
                _end(each)


def _end(connection: socket.socket) -> None:
    """End it in both directions, with what was written before still sent; the descriptor goes with the object."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
