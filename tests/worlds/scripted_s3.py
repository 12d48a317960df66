"""An S3 server that behaves as it is told: read-only, slow, lying, full, with a clock of its own, or elsewhere."""

import contextlib
import email.utils
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ERROR = '<?xml version="1.0"?><Error><Code>{code}</Code><Message>as told</Message>{more}</Error>'
SLICE = 4096


class ScriptedS3(ThreadingHTTPServer):
    """Buckets that exist by being named; ``behaviour`` is one of those that the handler knows, or none."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.behaviour = ""
        self.region = "eu-north-1"
        self.elsewhere = ""  # where a redirect leads
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.sent = 0  # bytes of bodies

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that end a connection."""


@contextlib.contextmanager
def scripted_s3() -> Iterator[ScriptedS3]:
    with ScriptedS3() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedS3

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        if (body := self._found()) is None:
            return
        start = int(found[1]) if (found := re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))) else 0
        behaviour = self.server.behaviour
        if behaviour == "no ranges":
            start = 0
        if behaviour == "other bytes":
            body = bytes(each ^ 1 for each in body)
        if behaviour == "an error with 200":
            return self._answer(200, ERROR.format(code="InternalError", more="").encode(), "application/xml")
        if behaviour == "endless":
            return self._endless(200)
        if start and start >= len(body):
            return self._error(416, "InvalidRange")
        self.send_response(206 if start else 200)
        claimed = len(body) - start + (1000 if behaviour == "too short" else 0)
        self.send_header("Content-Length", str(claimed))
        if behaviour == "compressed":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        for at in range(start, len(body), SLICE):
            if behaviour == "slow":
                time.sleep(0.02)
            piece = body[at : at + SLICE]
            self.server.sent += len(piece)
            self.wfile.write(piece)
        if behaviour == "too short":
            self.close_connection = True

    def do_HEAD(self) -> None:
        if (body := self._found()) is not None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Last-Modified", email.utils.formatdate(usegmt=True))
            self.end_headers()

    def do_PUT(self) -> None:
        left, parts = int(self.headers.get("Content-Length", 0)), []
        while left and (piece := self.rfile.read(min(left, SLICE))):
            if self.server.behaviour == "slow":
                time.sleep(0.005)
            left -= len(piece)
            parts.append(piece)
        if self._refused():
            return
        behaviour = self.server.behaviour
        if behaviour == "read-only":
            return self._error(403, "AccessDenied")
        if behaviour == "full":
            return self._error(507, "XMinioStorageFull")
        if behaviour == "full without a word":
            return self._answer(507, b"", "")
        if behaviour == "over its quota":
            return self._error(400, "XMinioAdminBucketQuotaExceeded")
        if behaviour == "no checksums" and any(name.lower().startswith("x-amz-checksum") for name in self.headers):
            return self._error(501, "NotImplemented")
        if behaviour != "forgetful":
            self.server.objects[self.path] = b"".join(parts)
        self._answer(200, b"", "", ETag='"0"')

    def do_DELETE(self) -> None:
        if self._refused():
            return
        if self.server.behaviour == "no delete":
            return self._error(403, "AccessDenied")
        self.server.objects.pop(self.path, None)
        self._answer(204, b"", "")

    def _found(self) -> bytes | None:
        """Return the object that is asked for, or answer why not."""
        if self._refused():
            return None
        if self.path.rstrip("/").count("/") == 1:
            return b""  # the bucket
        body = self.server.objects.get(self.path)
        if body is None:
            self._error(404, "NoSuchKey")
        return body

    def _refused(self) -> bool:
        server = self.server
        server.requests.append((self.command, self.path, dict(self.headers.items())))
        signed = self.headers.get("Authorization", "")
        if server.behaviour == "skewed":
            self._error(403, "RequestTimeTooSkewed")
        elif server.behaviour == "denied":
            self._error(403, "AccessDenied")
        elif server.behaviour == "endless error":
            self._endless(403)
        elif server.behaviour == "busy":
            self._error(503, "SlowDown")
        elif server.behaviour == "no server of S3":
            self._answer(200 if self.command == "HEAD" else 404, b"<html>hello", "text/html")
        elif server.behaviour == "malformed":
            self._answer(400, b"<Error><Code>", "application/xml")
        elif server.behaviour == "elsewhere":
            self._error(307, "TemporaryRedirect", Location=server.elsewhere + self.path)
        elif server.behaviour == "moved" and f"/{server.region}/" not in signed:
            self._error(301, "PermanentRedirect", **{"x-amz-bucket-region": server.region})
        elif server.behaviour == "another region" and f"/{server.region}/" not in signed:
            more = f"<Region>{server.region}</Region>"
            self._error(400, "AuthorizationHeaderMalformed", more, **{"x-amz-bucket-region": server.region})
        else:
            return False
        return True

    def _error(self, status: int, code: str, more: str = "", **headers: str) -> None:
        self._answer(status, ERROR.format(code=code, more=more).encode(), "application/xml", **headers)

    def _answer(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response_only(status)
        ahead = 47 * 60 if self.server.behaviour in {"skewed", "denied, with another clock"} else 0
        self.send_header("Date", email.utils.formatdate(time.time() + ahead, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _endless(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Content-Type", "application/xml")
        self.end_headers()
        self.close_connection = True
        piece = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
        with contextlib.suppress(OSError):
            for _ in range(1 << 14):  # a gigabyte
                self.wfile.write(piece)
                self.server.sent += 1 << 16
