"""What the network does wrong, and what the fetcher must then do: rows F1 to F12 and F19."""

import contextlib
import email.utils
import hashlib
import logging
import threading
import time

import pytest
from fetcher.addresses import Address
from fetcher.failures import Transient
from fetcher.http import Response
from fetcher.watchdog import Watchdog
from stage.errors import (
    ChecksumMismatch,
    EmptyInput,
    NetworkFailed,
    PolicyViolation,
    SourceRefused,
    UsageError,
)
from unit.fetcher.scripted import Reply

GOOD, EVIL = b"what upstream sent " * 5000, b"something else now " * 5000


def test_wrong_bytes_are_refused_and_the_older_set_stays(desk, server, published):
    """F1."""
    url = server.on("/a", Reply(EVIL))
    desk.ask(("a.bin", url, GOOD))
    with pytest.raises(ChecksumMismatch) as caught:
        desk.fetch()
    want, got = hashlib.sha256(GOOD).hexdigest(), hashlib.sha256(EVIL).hexdigest()
    assert str(caught.value) == (
        f"{desk.sources} line 2: a.bin: checksum mismatch for {url}: expected {want} (95000 bytes), "
        f"got {got} (95000 bytes); fix: check what changed upstream, then update the pin"
    )
    assert desk.parts() == {}
    published()


def test_longer_body_is_refused_before_its_end(desk, server):
    """F1: a body without a length ends at the first byte too many."""
    desk.ask(("a", server.on("/a", Reply(GOOD * 2, length=False, pause=0)), GOOD))
    with pytest.raises(ChecksumMismatch, match="got at least 95001 bytes"):
        desk.fetch()


def test_drop_in_mid_body_is_resumed(desk, server):
    """F2."""
    desk.ask(("a", server.on("/a", Reply(GOOD, etag='"v1"', drop_at=40_000), Reply(GOOD, etag='"v1"')), GOOD))
    assert desk.fetch().downloaded == 1
    assert desk.tree() == {"a": GOOD}
    assert desk.leftovers() == []
    headers = server.seen[1].headers
    assert headers["Range"] == "bytes=40000-"
    assert headers["If-Range"] == '"v1"'


def test_drop_on_every_try_keeps_what_came_for_the_next_run(desk, server, published):
    """F2b."""
    url = server.on("/a", Reply(GOOD, etag='"v1"', drop_at=40_000), Reply(GOOD, etag='"v1"', drop_at=10))
    desk.ask(("a", url, GOOD))
    with pytest.raises(NetworkFailed, match="gave up after 3 attempts"):
        desk.fetch(tries=3)
    published()
    parts = desk.parts()
    assert parts[".part"] == GOOD[:40_020]
    assert b'"v1' in parts[".json"]
    server.on("/a", Reply(GOOD, etag='"v1"'))
    desk.fetch()
    assert desk.tree() == {"a": GOOD}
    assert server.seen[-1].headers["Range"] == "bytes=40020-"


def test_damaged_part_is_dropped_and_fetched_again(desk, server):
    """F2: a power cut can leave a part whose bytes never reached the disk."""
    desk.ask(("a", server.on("/a", Reply(GOOD, etag='"v1"', drop_at=40_000)), GOOD))
    with pytest.raises(NetworkFailed):
        desk.fetch(tries=1)
    [part] = (desk.folder / ".raw.partial" / "parts").glob("*.part")
    part.write_bytes(bytes(40_000))
    server.on("/a", Reply(GOOD, etag='"v1"'))
    desk.fetch(tries=1)
    assert desk.tree() == {"a": GOOD}


def test_date_is_the_validator_where_there_is_no_strong_etag(desk, server):
    """F2, F4: weak ETags and dates beside them do not promise equal bytes."""
    date = {"Last-Modified": "Mon, 05 Oct 2026 10:00:00 GMT"}
    desk.ask(("a", server.on("/a", Reply(GOOD, headers=date, drop_at=9), Reply(GOOD)), GOOD))
    desk.fetch()
    assert server.seen[1].headers["If-Range"] == date["Last-Modified"]
    desk.out.rename(desk.folder / "before")
    desk.ask(("a", server.on("/a", Reply(GOOD, headers=date, etag='W/"v1"', drop_at=9), Reply(GOOD)), GOOD))
    desk.fetch()
    assert "Range" not in server.seen[-1].headers


def test_unpinned_source_is_refused(desk, server):
    """F3."""
    desk.ask(("a", server.on("/a", Reply(GOOD)), None))
    with pytest.raises(PolicyViolation, match=r"line 2: missing sha256 and bytes of a; fix: .*--allow-unpinned"):
        desk.fetch()
    assert server.seen == []


def test_unpinned_source_is_pinned_for_review_on_request(desk, server):
    """F3."""
    desk.ask(("b", server.on("/b", Reply(EVIL)), EVIL), ("a", server.on("/a", Reply(GOOD, length=False)), None))
    desk.fetch(allow_unpinned=True)
    assert desk.tree() == {"a": GOOD, "b": EVIL}
    assert desk.sources.read_text() == (
        "name,url,sha256,bytes\n"
        f"b,{server.url}/b,{hashlib.sha256(EVIL).hexdigest()},{len(EVIL)}\n"
        f"a,{server.url}/a,{hashlib.sha256(GOOD).hexdigest()},{len(GOOD)}\n"
    )
    assert desk.fetch().reused == 2


def test_progress_without_every_size_has_no_share(desk, server, caplog, monkeypatch):
    """F3."""
    monkeypatch.setattr("stage.progress.INTERVAL", 0.0)
    desk.ask(("b", server.on("/b", Reply(EVIL)), EVIL), ("a", server.on("/a", Reply(GOOD)), None))
    with caplog.at_level(logging.INFO):
        desk.fetch(allow_unpinned=True)
    assert f"fetching: {len(GOOD) + len(EVIL)} bytes" in caplog.messages
    assert "%" not in caplog.text


def test_unpinned_source_cut_short_is_no_file(desk, server):
    """F3: half a file, whose length was told, must not become the pin."""
    desk.ask(("a", server.on("/a", Reply(GOOD, drop_at=40_000)), None))
    with pytest.raises(NetworkFailed, match="connection closed after 40000 bytes"):
        desk.fetch(allow_unpinned=True, tries=2)


@pytest.mark.parametrize(
    "second",
    [
        Reply(GOOD, etag='"v1"', wrong_start=7),
        Reply(GOOD, etag='"v1"', wrong_start=-7),
        Reply(GOOD, ranges=False),
        Reply(GOOD, etag='"v2"'),
        Reply(status=416),
        Reply(GOOD[40_000:], status=206, headers={"Content-Range": "bytes 40000-94999/*"}),
        Reply(GOOD[40_000:], status=206, headers={"Content-Range": "bytes 40000-94999/95000", "ETag": '"v2"'}),
        Reply(GOOD[40_000:50_000], status=206, headers={"Content-Range": "bytes 40000-49999/95000"}),
        Reply(GOOD[40_000:] + b"x", status=206, headers={"Content-Range": "bytes 40000-95000/95001"}),
    ],
    ids=["later", "earlier", "ignored", "changed", "416", "no-total", "206-changed", "not-to-the-end", "other-total"],
)
@pytest.mark.parametrize("pinned", [True, False])
def test_answer_that_does_not_continue_is_never_spliced(desk, server, second, pinned):
    """F4: unpinned too, where no checksum would find the splice."""
    url = server.on("/a", Reply(EVIL, etag='"v1"', drop_at=40_000), second, Reply(GOOD))
    desk.ask(("a", url, GOOD if pinned else None))
    desk.fetch(allow_unpinned=True)
    assert desk.tree() == {"a": GOOD}


def test_shorter_version_leaves_nothing_of_the_longer_one(desk, server):
    """F4: the part on the disk is longer than the whole new file."""
    desk.ask(("a", server.on("/a", Reply(EVIL, etag='"v1"', drop_at=40_000), Reply(b"short", etag='"v2"')), None))
    desk.fetch(allow_unpinned=True)
    assert desk.tree() == {"a": b"short"}


def test_short_body_of_unknown_length_may_have_been_cut(desk, server):
    """F2: what ends with the connection is tried again, not taken for other bytes."""
    desk.ask(("a", server.on("/a", Reply(GOOD[:40_000], length=False), Reply(GOOD, length=False)), GOOD))
    desk.fetch()
    assert desk.tree() == {"a": GOOD}


def http_date(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("asked", "least"), [("1", 1.0), (http_date, 1.0), ("soon", 0), ("-3", 0)])
def test_server_that_asks_to_wait_is_waited_for(desk, server, status, asked, least):
    """F5."""
    asked = asked(2) if callable(asked) else asked
    desk.ask(("a", server.on("/a", Reply(status=status, headers={"Retry-After": asked}), Reply(GOOD)), GOOD))
    began = time.monotonic()
    desk.fetch()
    assert least * 0.9 <= time.monotonic() - began < 4
    assert desk.tree() == {"a": GOOD}


def test_absurd_wait_ends_at_once_and_says_when_to_come_back(desk, server):
    """F5."""
    desk.ask(("a", server.on("/a", Reply(status=503, headers={"Retry-After": "86400"})), GOOD))
    with pytest.raises(NetworkFailed, match=r"retry after 86400 seconds; fix: run again after 20\d\d-\d\d-\d\d "):
        desk.fetch()
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [500, 502, 504, 408, 429])
def test_failing_server_is_tried_again(desk, server, status):
    """F5."""
    desk.ask(("a", server.on("/a", Reply(status=status), Reply(GOOD)), GOOD))
    desk.fetch()
    assert desk.tree() == {"a": GOOD}


def test_rate_limit_is_no_refusal(desk, server):
    """F6: GitHub's primary limit, about to be lifted, then its secondary one, an hour away."""
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()))}
    desk.ask(("a", server.on("/a", Reply(status=403, headers=reset), Reply(GOOD)), GOOD))
    desk.fetch()
    desk.ask(("b", server.on("/b", Reply(status=403, headers={"Retry-After": "3600"})), GOOD))
    with pytest.raises(NetworkFailed, match=r"returned HTTP 403 \(rate limit\), retry after 3600 seconds"):
        desk.fetch()


def test_one_missing_file_publishes_nothing_and_all_missing_are_named(desk, server, published):
    """F7."""
    present = [(f"good{number}", server.on(f"/good{number}", Reply(GOOD)), GOOD) for number in range(3)]
    gone = [(f"gone{number:02}", server.on(f"/gone{number}", Reply(status=404)), GOOD) for number in range(22)]
    desk.ask(*present, *gone)
    with pytest.raises(SourceRefused) as caught:
        desk.fetch(jobs=4)
    names = ", ".join(f"gone{number:02}" for number in range(20))
    assert str(caught.value) == (
        f"{desk.sources}: 22 of 25 files failed: {names}, and 2 more; {desk.sources} line 5: "
        f"{server.url}/gone0 returned HTTP 404; fix: correct the URL, or contact the publisher of the source"
    )
    published()
    for name, url, _ in gone:
        server.on(url.removeprefix(server.url), Reply(name.encode() * 9))
    desk.ask(*present, *((name, url, name.encode() * 9) for name, url, _ in gone))
    assert desk.fetch().reused == 3
    assert desk.leftovers() == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_refusal_is_not_tried_again(desk, server, status):
    """F7."""
    desk.ask(("a", server.on("/a", Reply(status=status)), GOOD))
    with pytest.raises(SourceRefused, match=f"a: {server.url}/a returned HTTP {status}"):
        desk.fetch()
    assert len(server.seen) == 1


PRIVATE = [
    "http://127.0.0.1:1/",
    "http://[::1]:1/",
    "http://[::ffff:127.0.0.1]:1/",
    "http://[64:ff9b::7f00:1]/",
    "http://10.1.2.3/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://0/",
    "http://localhost/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
]


@pytest.mark.parametrize("target", PRIVATE)
def test_private_address_is_refused_named_or_redirected_to(desk, server, target):
    """F8."""
    for url in (target, server.on("/a", Reply(status=302, headers={"Location": target}))):
        desk.ask(("a", url, GOOD))
        with pytest.raises(PolicyViolation, match=r"has the private address .*FETCH_TRUST="):
            desk.fetch()


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://example.org/a", "gopher://x/", "http://u:p@example.org/"]
)
def test_redirect_to_another_scheme_is_refused(desk, server, target):
    """F8."""
    desk.ask(("a", server.on("/a", Reply(status=301, headers={"Location": target})), GOOD))
    with pytest.raises(PolicyViolation) as caught:
        desk.fetch()
    assert "u:p" not in str(caught.value)


def test_host_is_resolved_once_and_each_of_its_addresses_counts(desk, server, monkeypatch):
    """F8: a name that is public at first and private a moment later (DNS rebinding) leads nowhere."""
    asked = []

    def resolve(host, port, **_):
        asked.append(host)
        return [(2, 1, 6, "", (ip, port)) for ip in answers]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    desk.ask(("a", "http://files.example.org/a", GOOD))
    answers = ["93.184.215.14", "10.0.0.7"]
    with pytest.raises(PolicyViolation, match=r"files\.example\.org has the private address 10\.0\.0\.7"):
        desk.fetch()
    connected = []

    def connect(address, timeout):
        connected.append(address)
        raise ConnectionRefusedError("nobody home")

    monkeypatch.setattr("socket.create_connection", connect)
    answers, asked[:] = ["93.184.215.14"], []
    with pytest.raises(NetworkFailed, match="nobody home"):
        desk.fetch(tries=1)
    assert asked == ["files.example.org"]
    assert connected == [("93.184.215.14", 80)]


def test_redirects_are_followed_but_not_for_ever(desk, server, other):
    """F8."""
    last = other.on("/file", Reply(GOOD))
    for hop in range(6):
        target = f"/hop{hop + 1}" if hop < 5 else last
        server.on(f"/hop{hop}", Reply(status=(301, 302, 303, 307, 308)[hop % 5], headers={"Location": target}))
    desk.ask(("a", f"{server.url}/hop1", GOOD))
    desk.fetch()
    assert desk.tree() == {"a": GOOD}
    desk.ask(("b", f"{server.url}/hop0", GOOD))
    with pytest.raises(PolicyViolation, match="redirects more than 5 times"):
        desk.fetch()
    server.on("/loop", Reply(status=302, headers={"Location": "/loop?"}))
    desk.ask(("c", server.on("/loop", Reply(status=302, headers={"Location": "/loop"})), GOOD))
    with pytest.raises(PolicyViolation, match="redirects in a loop"):
        desk.fetch()


def test_no_credentials_travel_to_another_host(desk, server, other, monkeypatch):
    """F9: nor are they taken from a URL, nor told."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary")
    url = other.on("/file", Reply(GOOD))
    desk.ask(("a", server.on("/a", Reply(status=302, headers={"Location": url})), GOOD))
    desk.fetch()
    assert set(other.seen[0].headers) == {"Host", "User-Agent", "Connection", "Accept-Encoding"}
    desk.ask(("a", f"http://me:canary@{server.origin}/a", GOOD))
    with pytest.raises(PolicyViolation, match="contains credentials") as caught:
        desk.fetch()
    assert "canary" not in str(caught.value)


def test_query_of_a_url_is_not_told(desk, server, caplog):
    """F9."""
    desk.ask(("a", server.on("/a", Reply(status=500)) + "?token=canary", GOOD))
    with caplog.at_level(logging.DEBUG), pytest.raises(NetworkFailed) as caught:
        desk.fetch(tries=2)
    assert server.seen[0].path == "/a?token=canary"
    assert "canary" not in str(caught.value) + caplog.text


def test_error_page_with_status_200_is_found_by_the_pin(desk, server):
    """F10."""
    for page in (
        Reply(b"<html>sorry</html>"),
        Reply(b"5\r\nsorry\r\n0\r\n\r\n", length=False, headers={"Transfer-Encoding": "chunked"}),
    ):
        desk.ask(("a", server.on("/a", page), GOOD))
        with pytest.raises(ChecksumMismatch):
            desk.fetch()


def test_bytes_are_stored_as_they_came_over_the_wire(desk, server):
    """F10."""
    wire = b"\x1f\x8b not really gzip"
    desk.ask(("a.gz", server.on("/a", Reply(wire, headers={"Content-Encoding": "gzip"})), wire))
    desk.fetch()
    assert desk.tree() == {"a.gz": wire}
    assert server.seen[0].headers["Accept-Encoding"] == "identity"
    assert server.seen[0].headers["User-Agent"] == "data-registry-fetcher/1.0"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(GOOD, pause=0.05),
        Reply(raw=b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000, pause=0.05),
        Reply(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"y" * 1000, pause=0.02),
    ],
    ids=["body", "headers", "chunk"],
)
def test_server_that_drips_is_left(desk, server, reply):
    """F11: every byte arrives in time, the file never would."""
    desk.ask(("a", server.on("/a", reply), GOOD))
    began = time.monotonic()
    with pytest.raises(NetworkFailed, match="gave up after 2 attempts"):
        desk.fetch(timeout=0.5, tries=2)
    assert time.monotonic() - began < 4


def test_long_download_may_outlast_the_wait_for_headers(desk, server, monkeypatch):
    """F11: only silence is bounded so tightly."""
    monkeypatch.setattr("fetcher.http.STALL", 0.5)
    desk.ask(("a", server.on("/a", Reply(GOOD[:30], pause=0.05)), GOOD[:30]))
    desk.fetch(tries=1)
    assert desk.tree() == {"a": GOOD[:30]}


def test_stopped_run_hangs_up_at_once(server):
    """F11: a thread that waits for bytes must not outlive the run by the 30 seconds of its patience."""
    server.on("/a", Reply(GOOD, hold_at=9))
    watch, ended = Watchdog(), threading.Event()
    port = int(server.origin.partition(":")[2])
    response = Response(Address("http", "127.0.0.1", port, "/a"), ["127.0.0.1"], {}, watch, 60, "here")

    def read() -> None:
        with contextlib.suppress(Transient):
            while response.readinto(memoryview(bytearray(100))):
                pass
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    assert not ended.wait(0.5)
    watch.stop()
    assert ended.wait(2)
    response.close()


def test_headers_cut_off_are_no_empty_file(desk, server):
    """F11: http.client takes the end of the connection for the end of the headers."""
    desk.ask(("a", server.on("/a", Reply(raw=b"HTTP/1.1 200 OK\r\nServer: x\r\n")), GOOD))
    with pytest.raises(NetworkFailed):
        desk.fetch(tries=2)


def test_host_without_a_server_is_a_network_failure(desk, server):
    """F11."""
    desk.ask(("a", "http://127.0.0.1:1/a", GOOD))
    with pytest.raises(NetworkFailed, match=r"no response from 127\.0\.0\.1:1: .*gave up after 2 attempts"):
        desk.fetch(trust=("127.0.0.1:1",), tries=2)


def test_good_place_is_found_behind_one_that_is_down_and_one_that_lies(desk, server, caplog):
    """F12."""
    desk.ask(
        ("a", server.on("/down", Reply(status=503)), GOOD),
        ("a", server.on("/lies", Reply(EVIL)), GOOD),
        ("a", server.on("/good", Reply(GOOD)), GOOD),
    )
    desk.fetch(tries=2)
    assert desk.tree() == {"a": GOOD}
    warned = [record.getMessage() for record in caplog.records if "trying the next URL" in record.getMessage()]
    assert len(warned) == 2
    assert "returned HTTP 503" in warned[0]
    assert "checksum mismatch" in warned[1]


@pytest.mark.parametrize(
    ("replies", "raised"),
    [
        ([Reply(EVIL), Reply(status=503), Reply(status=404)], NetworkFailed),
        ([Reply(status=404), Reply(EVIL)], ChecksumMismatch),
        ([Reply(status=404), Reply(status=302, headers={"Location": "http://10.0.0.1/"})], PolicyViolation),
    ],
)
def test_of_several_failures_the_one_that_a_retry_mends_is_told(desk, server, replies, raised):
    """F12."""
    desk.ask(*(("a", server.on(f"/{number}", reply), GOOD) for number, reply in enumerate(replies)))
    with pytest.raises(raised):
        desk.fetch(tries=1)


def test_of_several_files_the_failure_that_must_be_looked_at_is_told(desk, server):
    """F12: 14 before 11 before 21 before 13 before 12; each is taken away in turn."""
    private = Reply(status=302, headers={"Location": "http://10.0.0.1/"})
    told = [
        ("private", private, PolicyViolation),
        ("wrong", Reply(EVIL), ChecksumMismatch),
        ("empty", Reply(b""), EmptyInput),
        ("gone", Reply(status=404), SourceRefused),
        ("down", Reply(status=503), NetworkFailed),
    ]
    rows = [(name, server.on(f"/{name}", reply), GOOD) for name, reply, _ in told]
    for first, (_, _, raised) in enumerate(told):
        desk.ask(*rows[first:])
        with pytest.raises(raised):
            desk.fetch(tries=1, jobs=1)


def test_network_failure_leaves_the_others_for_the_next_run(desk, server):
    """F12: each of a thousand files would wait as long for the same dead server."""
    rows = [(f"f{number}", server.on(f"/{number}", Reply(status=503)), GOOD) for number in range(9)]
    desk.ask(*rows)
    with pytest.raises(NetworkFailed, match=r"[12] of 9 files failed, [78] not attempted: f0"):
        desk.fetch(tries=1, jobs=1)


@pytest.mark.parametrize("length", [True, False])
def test_empty_file_is_no_data(desk, server, length):
    """F19."""
    chunked = Reply(b"0\r\n\r\n", headers={"Transfer-Encoding": "chunked"}, length=False)
    desk.ask(("a", server.on("/a", Reply(b"") if length else chunked), None))
    with pytest.raises(EmptyInput, match="is an empty file"):
        desk.fetch(allow_unpinned=True)
    desk.ask(("a", f"{server.url}/a", b""))
    with pytest.raises(EmptyInput, match="empty file: bytes of a is 0"):
        desk.fetch()


def test_too_large_a_set_is_refused_before_it_comes(desk, server):
    """F19."""
    desk.ask(("a", server.on("/a", Reply(GOOD)), GOOD), ("b", server.on("/b", Reply(GOOD)), GOOD))
    with pytest.raises(PolicyViolation, match=r"the files have 190000 bytes, more than max-bytes \(150000\)"):
        desk.fetch(max_bytes=150_000)
    assert server.seen == []


@pytest.mark.parametrize("length", [True, False])
def test_too_large_an_unpinned_file_is_refused_while_it_comes(desk, server, length):
    """F19."""
    desk.ask(("a", server.on("/a", Reply(bytes(3 << 20), length=length)), None))
    with pytest.raises(PolicyViolation, match="max-bytes leaves"):
        desk.fetch(allow_unpinned=True, max_bytes=1 << 20)
    assert desk.parts() == {}


def test_wrong_use_is_told_by_line(desk):
    pin = "0" * 64
    cases = {
        "name,url\n": "line 1: expected header name,url,sha256,bytes, got 'name,url'; fix: ",
        f"name,url,sha256,bytes\na,file:a,{pin}\n": "line 2: expected 4 fields, got 3",
        "name,url,sha256,bytes\na,file:a,XYZ,1\n": "line 2: invalid sha256 'XYZ': expected 64 lowercase hex digits",
        f"name,url,sha256,bytes\na,file:a,{pin},1e3\n": "line 2: invalid bytes '1e3': expected an integer",
        f"name,url,sha256,bytes\na,file:a,{pin},1\na,file:b,{pin},2\n": "line 3: conflicting sha256 or bytes for a",
        f'name,url,sha256,bytes\n"a,file:a,{pin},1\n': "invalid CSV",
    }
    for text, message in cases.items():
        desk.sources.write_text(text)
        with pytest.raises(UsageError) as caught:
            desk.fetch()
        assert message in str(caught.value)
    desk.sources.write_bytes(b"name,url,sha256,bytes\n\xff\xfe\n")
    with pytest.raises(UsageError, match="invalid CSV"):
        desk.fetch()
    desk.sources.write_text("name,url,sha256,bytes\n")
    with pytest.raises(EmptyInput, match="no files listed"):
        desk.fetch()
