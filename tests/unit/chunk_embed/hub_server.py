"""A Hugging Face hub on loopback, with one model: as much of it as fetching a model at a commit asks for."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGE = (".safetensors", ".bin")  # what the hub keeps elsewhere, and gives the SHA-256 of


@dataclass
class Hub:
    """``status`` is what it answers instead, ``sent`` what it sends instead of a file, ``cut`` ends each so early."""

    name: str
    revision: str
    files: dict[str, bytes]
    status: int = 200
    sent: dict[str, bytes] = field(default_factory=dict)
    cut: int | None = None
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[str]:
        """Yield its address."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.asked.append(self.path)
                self.answer(with_body=True)

            def do_HEAD(self) -> None:
                self.answer(with_body=False)

            def answer(self, with_body: bool) -> None:
                path = self.path.partition("?")[0]
                place, _, name = path.partition(f"/resolve/{hub.revision}/")
                if hub.status != 200:
                    self.reply(hub.status, b"", {})
                elif path == f"/api/models/{hub.name}/revision/{hub.revision}":
                    self.reply(200, hub.listing(), {"Content-Type": "application/json"})
                elif path == f"/api/models/{hub.name}/tree/{hub.revision}":
                    self.reply(200, hub.tree(), {"Content-Type": "application/json"})
                elif place == f"/{hub.name}" and name in hub.files:
                    data = hub.files[name]
                    headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": hub.revision}
                    body = hub.sent.get(name, data)
                    self.reply(200, body if with_body else b"", {**headers, "Content-Length": str(len(data))})
                else:
                    self.reply(404, b"", {"X-Error-Code": "RevisionNotFound"})

            def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for key, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body[: hub.cut] if "Content-Type" not in headers else body)
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()

    def listing(self) -> bytes:
        """Return what the hub says of the model at the commit."""
        siblings = [{"rfilename": name, "size": len(data), **_lfs(name, data)} for name, data in self.files.items()]
        return json.dumps({"id": self.name, "sha": self.revision, "siblings": siblings}).encode()

    def tree(self) -> bytes:
        """Return what it says of the files."""
        rows = [
            {"type": "file", "path": name, "oid": hashlib.sha1(data).hexdigest(), "size": len(data), **_lfs(name, data)}
            for name, data in self.files.items()
        ]
        return json.dumps(rows).encode()


def _lfs(name: str, data: bytes) -> dict[str, object]:
    digest = hashlib.sha256(data).hexdigest()
    large = {"sha256": digest, "oid": digest, "size": len(data), "pointerSize": 134}
    return {"lfs": large} if name.endswith(LARGE) else {}
