"""Ordinary and odd HTTP servers: what they send arrives whole, or is one error line."""

import functools
import http.server
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fetcher.addresses import Address
from fetcher.failures import Transient
from fetcher.http import Response
from fetcher.upstream import PlainUrls
from fetcher.watchdog import Watchdog
from stage.errors import ChecksumMismatch, EmptyInput, NetworkFailed, PolicyViolation, SourceRefused, StageError
from unit.fetcher.conftest import Desk
from unit.fetcher.raw_server import RawServer

FILE = bytes(range(256)) * 3000
TEXT = b"a,b\n1,2\n"
NODE = """
const http = require('http'), body = Buffer.from(process.argv[1], 'base64');
const server = http.createServer((request, response) => {
  if (request.url === '/chunked') {
    response.writeEarlyHints({link: '</style.css>; rel=preload'});
    response.write(body.subarray(0, 5));
    setTimeout(() => { response.addTrailers({'X-Sum': '1'}); response.end(body.subarray(5)); }, 20);
  } else {
    response.setHeader('Connection', 'keep-alive');
    response.setHeader('Content-Length', body.length);
    response.end(body);
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


class KeepAlive(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        self.send_header("Connection", "keep-alive")
        self.send_header("Keep-Alive", "timeout=60")
        super().end_headers()
        self.close_connection = False

    def log_message(self, format: str, *args: object) -> None:
        pass


class Chunked(KeepAlive):
    def do_GET(self) -> None:
        content = Path(self.directory, self.path.lstrip("/")).read_bytes()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(content), 1000):
            part = content[start : start + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def raw() -> Iterator[RawServer]:
    with RawServer().running() as server:
        yield server


@pytest.fixture
def odd(tmp_path: Path, raw: RawServer) -> Desk:
    """A desk that trusts the raw server."""
    return Desk(tmp_path, (raw.origin,))


@pytest.mark.parametrize("handler", [KeepAlive, Chunked, http.server.SimpleHTTPRequestHandler])
def test_a_server_of_python_sends_whole_files(tmp_path: Path, handler: type[http.server.SimpleHTTPRequestHandler]):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "a").write_bytes(FILE)
    (tmp_path / "served" / "b").write_bytes(TEXT)
    quiet = type("Quiet", (handler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(quiet, directory=str(tmp_path / "served"))
    )
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    origin = f"127.0.0.1:{server.server_port}"
    try:
        desk = Desk(tmp_path, (origin,))
        desk.ask(("a", f"http://{origin}/a", FILE), ("b", f"http://{origin}/b", None))
        assert desk.fetch(allow_unpinned=True, tries=1).downloaded == 2
        assert desk.tree() == {"a": FILE, "b": TEXT}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_a_server_of_node_sends_whole_files(tmp_path: Path):
    import base64

    command = ["node", "-e", NODE, base64.b64encode(TEXT * 50).decode()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            origin = f"127.0.0.1:{server.stdout.readline().strip()}"
            desk = Desk(tmp_path, (origin,))
            desk.ask(("a", f"http://{origin}/a", TEXT * 50), ("b", f"http://{origin}/chunked", None))
            desk.fetch(allow_unpinned=True, tries=1)
            assert desk.tree() == {"a": TEXT * 50, "b": TEXT * 50}
        finally:
            server.terminate()


OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 8\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
GOOD = {
    "keep-alive with surplus bytes": OK + LENGTH + b"\r\n" + TEXT + b"HTTP/1.1 200 OK\r\n\r\nsurplus",
    "1xx first": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
    + OK
    + LENGTH
    + b"\r\n"
    + TEXT,
    "chunk extensions and trailers": OK
    + CHUNKED
    + b'\r\n5;a="b;c"\r\na,b\n1\r\n 3 ; x\r\n,2\n\r\n0;y\r\nX-Sum: 1\r\n\r\n',
    "header case": OK + b"CONTENT-length:8\r\n\r\n" + TEXT,
    "encoding case": OK + b"transfer-encoding: Chunked\r\n\r\n8\r\n" + TEXT + b"\r\n0\r\n\r\n",
    "folded headers": OK + b'X-A: a\r\n b\r\n\tc\r\nContent-Length:\r\n 8\r\nETag: "a\r\n b"\r\n\r\n' + TEXT,
    "no reason phrase": b"HTTP/1.1 200\r\n" + LENGTH + b"\r\n" + TEXT,
    "lines of LF": (OK + LENGTH).replace(b"\r", b"") + b"\n" + TEXT,
    "HTTP/1.0 keep-alive": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + LENGTH + b"\r\n" + TEXT,
    "length twice": OK + LENGTH + LENGTH + b"\r\n" + TEXT,
    "length listed": OK + b"Content-Length: 8, 8\r\n\r\n" + TEXT,
    "length and chunks": OK + b"Content-Length: 3\r\n" + CHUNKED + b"\r\n8\r\n" + TEXT + b"\r\n0\r\n\r\n",
    "identity": OK + b"Transfer-Encoding: identity\r\n" + LENGTH + b"\r\n" + TEXT,
    "status line of bytes": b"HTTP/1.1 200 \x1b[31m\xff\r\n" + LENGTH + b"\r\n" + TEXT,
}
END_OF_CONNECTION = {
    "no length and no close": OK + b"\r\n" + TEXT,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\n" + TEXT,
    "chunks without a last line": OK + CHUNKED + b"\r\n08\r\n" + TEXT + b"\r\n000\r\n",
    "close": OK + b"Connection: close\r\n\r\n" + TEXT,
}


@pytest.mark.parametrize(
    ("answer", "keep"),
    [*((each, True) for each in GOOD.values()), *((each, False) for each in END_OF_CONNECTION.values())],
    ids=[*GOOD, *END_OF_CONNECTION],
)
def test_an_odd_answer_arrives_whole(odd: Desk, raw: RawServer, answer: bytes, keep: bool):
    raw.answer, raw.keep = answer, keep
    odd.ask(("a", f"http://{raw.origin}/a", TEXT))
    odd.fetch(tries=1, timeout=5)
    assert odd.tree() == {"a": TEXT}
    assert raw.requests == 1


REDIRECT = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
BAD: dict[str, tuple[bytes, type[StageError]]] = {
    "nothing": (b"", NetworkFailed),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n" + b"\x1b[31m" * 9999, NetworkFailed),
    "lengths that differ": (OK + LENGTH + b"Content-Length: 9\r\n\r\n" + TEXT, NetworkFailed),
    "length that is none": (OK + b"Content-Length: -1\r\n\r\n" + TEXT, NetworkFailed),
    "length of many digits": (OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + TEXT, NetworkFailed),
    "length with underscore": (OK + b"Content-Length: 0_8\r\n\r\n" + TEXT, NetworkFailed),
    "length too long": (OK + b"Content-Length: 9\r\n\r\n" + TEXT, ChecksumMismatch),
    "cut short": (OK + LENGTH + b"\r\na,b", NetworkFailed),
    "chunk cut short": (OK + CHUNKED + b"\r\n8\r\na,b", NetworkFailed),
    "chunk longer than its size": (OK + CHUNKED + b"\r\n2\r\n" + TEXT + b"\r\n0\r\n\r\n", NetworkFailed),
    "negative chunk": (OK + CHUNKED + b"\r\n-8\r\n" + TEXT + b"\r\n0\r\n\r\n", NetworkFailed),
    "no last chunk": (OK + CHUNKED + b"\r\n8\r\n" + TEXT + b"\r\n", NetworkFailed),
    "chunk size without end": (OK + CHUNKED + b"\r\n8;" + b"x" * 70_000, NetworkFailed),
    "trailers without end": (OK + CHUNKED + b"\r\n8\r\n" + TEXT + b"\r\n0\r\n" + b"X: y\r\n" * 200, NetworkFailed),
    "chunked twice": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n8\r\n" + TEXT + b"\r\n0\r\n\r\n", NetworkFailed),
    "interim without end": (b"HTTP/1.1 102 Processing\r\n\r\n" * 200, NetworkFailed),
    "headers without end": (OK + b"X: y\r\n" * 200, NetworkFailed),
    "long header": (OK + b"X: " + b"y" * 70_000 + b"\r\n\r\n", NetworkFailed),
    "empty": (OK + b"Content-Length: 0\r\n\r\n", EmptyInput),
    "empty chunks": (OK + CHUNKED + b"\r\n0\r\n\r\n", EmptyInput),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", SourceRefused),
    "206 not asked for": (
        b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-7/8\r\n" + LENGTH + b"\r\n" + TEXT,
        SourceRefused,
    ),
    "416 not asked for": (b"HTTP/1.1 416 Range\r\nContent-Length: 0\r\n\r\n", SourceRefused),
    "304": (b"HTTP/1.1 304 Not Modified\r\n\r\n", SourceRefused),
    "101": (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", SourceRefused),
    "compressed": (
        OK + b"Content-Encoding: gzip\r\n" + LENGTH + b"\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00",
        ChecksumMismatch,
    ),
    "redirect to no URL": (REDIRECT + b"http://[\r\n\r\n", PolicyViolation),
    "redirect with credentials": (REDIRECT + b"http://user:secret@example.org/\r\n\r\n", PolicyViolation),
    "redirect with control characters": (REDIRECT + b"ftp://a/\x1b[31m\x07\x9b\r\n\r\n", PolicyViolation),
    "redirect to no port": (REDIRECT + b"http://a:99999/\r\n\r\n", PolicyViolation),
}


@pytest.mark.parametrize(("answer", "error"), BAD.values(), ids=BAD)
def test_an_answer_that_cannot_be_used_is_one_error_line(
    odd: Desk, raw: RawServer, answer: bytes, error: type[StageError]
):
    raw.answer = answer
    odd.ask(("a", f"http://{raw.origin}/a", TEXT))
    with pytest.raises(error) as caught:
        odd.fetch(tries=1, timeout=5)
    line = str(caught.value)
    assert line.isprintable() and len(line) < 1000 and "secret" not in line
    assert odd.tree() is None


def test_a_compressed_answer_is_named(odd: Desk, raw: RawServer):
    raw.answer, raw.keep = BAD["compressed"][0], True
    odd.ask(("a", f"http://{raw.origin}/a", TEXT))
    with pytest.raises(ChecksumMismatch, match="Content-Encoding: gzip"):
        odd.fetch(tries=1)


def test_a_compressed_answer_is_pinned_as_it_is_sent_and_named(
    odd: Desk, raw: RawServer, caplog: pytest.LogCaptureFixture
):
    raw.answer = OK + b"Content-Encoding: gzip\r\n" + LENGTH + b"\r\n" + TEXT
    odd.ask(("a", f"http://{raw.origin}/a", None))
    odd.fetch(tries=1, allow_unpinned=True)
    odd.resolve(PlainUrls({"a": (f"http://{raw.origin}/a",)}))
    warned = [record.message for record in caplog.records]
    assert len(warned) == 2 and all("is compressed by the server (Content-Encoding: gzip)" in each for each in warned)


def test_nothing_raw_of_an_answer_reaches_the_terminal(odd: Desk, raw: RawServer):
    raw.answer = REDIRECT + b"https://user:secret@example.org/\x1b]0;owned\x07\x9b31m?token=secret\r\n\r\n"
    odd.ask(("a", f"http://{raw.origin}/a", TEXT))
    for answer in (
        raw.answer,
        b"\x1b]0;owned\x07\xc2\x9b31m secret",
        b"HTTP/1.1 503 \x1b[31m\r\nContent-Length: 0\r\n\r\n",
    ):
        raw.answer = answer
        done = odd.run("-v", "--tries", "2")
        assert done.returncode in {12, 14} and not done.stdout
        lines = done.stderr.replace("\n", "")
        assert lines.isprintable() and "secret@" not in lines and "token=secret" not in lines


def mutated(random: random.Random) -> bytes:
    """Return an answer of which some bytes are others, gone, repeated or of another answer."""
    answers = [*GOOD.values(), *END_OF_CONNECTION.values(), *(each for each, _ in BAD.values() if len(each) < 1000)]
    answer = bytearray(random.choice(answers))
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(answer) + 1)
        kind = random.randrange(4)
        if kind == 0:
            answer[at : at + random.randint(0, 3)] = random.randbytes(random.randint(0, 3))
        elif kind == 1:
            answer[at:at] = random.choice([b"\r", b"\n", b"\r\n", b":", b" ", b"\0", b"\x85", b",", b"-", b"ff", b";"])
        elif kind == 2:
            other = random.choice(answers)
            start = random.randrange(len(other) + 1)
            answer[at:at] = other[start : start + random.randint(1, 60)]
        else:
            del answer[at : at + random.randint(1, 20)]
    return bytes(answer)


def fuzz(odd: Desk, raw: RawServer, seed: int, times: int) -> None:
    chance = random.Random(seed)
    for number in range(times):
        raw.answer = mutated(chance)
        odd.ask(("a", f"http://{raw.origin}/a", TEXT if number % 2 else None))
        try:
            odd.fetch(tries=1, timeout=5, allow_unpinned=True)
        except StageError as error:
            assert str(error).isprintable(), raw.answer
        except Exception as error:  # any other is a fault, and must say its seed
            raise AssertionError(f"{seed} {number}: {raw.answer!r}") from error
        else:
            assert number % 2 == 0 or odd.tree() == {"a": TEXT}
        shutil.rmtree(odd.out, ignore_errors=True)
        shutil.rmtree(odd.folder / ".raw.partial", ignore_errors=True)


def test_any_bytes_of_a_server_are_a_file_or_an_error(odd: Desk, raw: RawServer):
    fuzz(odd, raw, 1, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 10))
def test_any_bytes_of_a_server_are_an_answer_or_a_failure_of_the_network(raw: RawServer, seed: int):
    chance, watch, block = random.Random(seed), Watchdog(), memoryview(bytearray(100))
    address = Address("http", "127.0.0.1", int(raw.origin.rpartition(":")[2]), "/a")
    try:
        for number in range(25_000):
            raw.answer = mutated(chance)
            try:
                response = Response(address, ["127.0.0.1"], {}, watch, 5, "here")
                while response.readinto(block):
                    pass
                response.close()
            except Transient as error:
                assert str(error).isprintable(), raw.answer
            except Exception as error:  # any other is a fault, and must say its seed
                raise AssertionError(f"{seed} {number}: {raw.answer!r}") from error
    finally:
        watch.stop()
