"""An HTTP server on loopback that answers as scripted: slow, cut short, elsewhere, changed, or not at all."""

import contextlib
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Reply:
    """One answer. ``drop_at`` ends the connection after so many bytes of the body; ``pause`` waits before each byte;
    ``hold_at`` falls silent after so many, without ending the connection."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None
    drop_at: int | None = None
    pause: float = 0
    hold_at: int | None = None
    length: bool = True
    ranges: bool = True
    wrong_start: int = 0
    raw: bytes | None = None  # sent as is, a byte at a time, instead of an answer


@dataclass(frozen=True)
class Seen:
    path: str
    headers: Mapping[str, str]


class Scripted:
    """Replies by path, or by path and query where those are scripted; of several, each is given once and the last for
    ever. ``seen`` are the requests that came.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.seen: list[Seen] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                script.seen.append(Seen(self.path, dict(self.headers)))
                replies = script.replies.get(self.path) or script.replies.get(path, [Reply(status=404)])
                reply = replies.pop(0) if len(replies) > 1 else replies[0]
                with contextlib.suppress(OSError):  # the client hung up
                    _answer(self, reply)
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.origin = f"127.0.0.1:{self._server.server_port}"
        self.url = f"{'https' if certificate else 'http'}://{self.origin}"

    def on(self, path: str, *replies: Reply) -> str:
        """Script a path and return its URL."""
        self.replies[path] = list(replies)
        return self.url + path

    @contextmanager
    def running(self) -> Iterator["Scripted"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


def _answer(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    if reply.raw is not None:
        for position in range(len(reply.raw)):
            handler.wfile.write(reply.raw[position : position + 1])
            time.sleep(reply.pause)
        return
    body, status, extra = reply.body, reply.status, dict(reply.headers)
    asked, held = handler.headers.get("Range"), handler.headers.get("If-Range", handler.headers.get("If-Match"))
    if asked and reply.ranges and status == 200:
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        if held == reply.etag:
            first = start + reply.wrong_start
            extra["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
            status, body = 206, body[first:]
        elif "If-Match" in handler.headers:
            status, body = 412, b""
    if reply.etag:
        extra["ETag"] = reply.etag
    if reply.length:
        extra.setdefault("Content-Length", str(len(body)))
    handler.send_response(status)
    for name, value in extra.items():
        handler.send_header(name, value)
    handler.end_headers()
    body = body[: reply.hold_at or reply.drop_at]
    if reply.pause:
        for position in range(len(body)):
            time.sleep(reply.pause)
            handler.wfile.write(body[position : position + 1])
    else:
        handler.wfile.write(body)
    if reply.hold_at:
        time.sleep(30)
