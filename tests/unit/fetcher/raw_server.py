"""A server that sends scripted bytes, whatever they are, and hangs up when it should, or only when the client does."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class RawServer:
    """Answers each connection with ``answer``; where ``keep``, it then waits for the client to hang up."""

    def __init__(self) -> None:
        self.answer, self.keep = b"", False
        self.requests = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.origin = f"127.0.0.1:{self._listening.getsockname()[1]}"

    @contextmanager
    def running(self) -> Iterator["RawServer"]:
        thread = threading.Thread(target=self._serve, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            thread.join()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def _talk(self, line: socket.socket) -> None:
        with line, contextlib.suppress(OSError):
            asked = b""
            while b"\r\n\r\n" not in asked:
                if not (more := line.recv(1 << 16)):
                    return
                asked += more
            self.requests += 1
            line.sendall(self.answer)
            while self.keep and line.recv(1 << 16):
                pass
