"""S3 as it answers on a bad day (F18); a real MinIO is asked in tests/integration."""

import pytest
from stage.errors import NetworkFailed, PolicyViolation, SourceRefused, UsageError
from unit.fetcher.scripted import Reply

GOOD = b"an object " * 9000
MULTIPART = '"9b2cf535f27731c974343645a3985328-3"'


def xml(code: str, status: int, **headers: str) -> Reply:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()
    return Reply(body, status, {"Content-Type": "application/xml", **headers})


@pytest.fixture(autouse=True)
def endpoint(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")


def ask(desk, server, *replies):
    server.on("/bucket/some/key", *replies)
    desk.ask(("a", "s3://bucket/some/key", GOOD))


def test_multipart_etag_is_no_checksum(desk, server):
    """F18."""
    ask(desk, server, Reply(GOOD, etag=MULTIPART))
    desk.fetch(trust=())
    assert desk.tree() == {"a": GOOD}
    assert "X-Amz-Signature=" in server.seen[0].path


def test_cut_object_is_resumed_if_it_is_the_same(desk, server):
    """F18."""
    ask(desk, server, Reply(GOOD, etag=MULTIPART, drop_at=5000), Reply(GOOD, etag=MULTIPART))
    desk.fetch(trust=())
    assert (server.seen[1].headers["Range"], server.seen[1].headers["If-Match"]) == ("bytes=5000-", MULTIPART)
    assert desk.tree() == {"a": GOOD}


def test_object_replaced_meanwhile_is_fetched_anew(desk, server):
    """F18."""
    ask(desk, server, Reply(b"older " * 15000, etag='"old"', drop_at=5000), Reply(GOOD, etag='"new"'))
    desk.fetch(trust=())
    assert desk.tree() == {"a": GOOD}


def test_slow_down_is_obeyed(desk, server):
    """F18."""
    ask(desk, server, xml("SlowDown", 503), Reply(GOOD))
    desk.fetch(trust=())
    ask(desk, server, xml("SlowDown", 503))
    desk.out.rename(desk.folder / "before")
    with pytest.raises(NetworkFailed, match="returned HTTP 503 SlowDown; gave up after 2 attempts"):
        desk.fetch(trust=(), tries=2)


@pytest.mark.parametrize("status", [301, 307, 400])
def test_other_region_is_asked_as_the_answer_says(desk, server, status):
    """F18."""
    ask(desk, server, xml("PermanentRedirect", status, **{"x-amz-bucket-region": "eu-west-3"}), Reply(GOOD))
    desk.fetch(trust=())
    assert "eu-west-3" in server.seen[1].path


def test_refusal_names_the_code_and_no_secret(desk, server, caplog):
    """F18."""
    ask(desk, server, xml("AccessDenied", 403))
    with pytest.raises(SourceRefused, match="s3://bucket/some/key returned HTTP 403 AccessDenied") as caught:
        desk.fetch(trust=())
    assert "canary" not in str(caught.value) + caplog.text
    assert "Signature" not in str(caught.value) + caplog.text
    ask(desk, server, xml("RequestTimeTooSkewed", 403))
    with pytest.raises(SourceRefused, match="check the clock"):
        desk.fetch(trust=())


def test_redirect_elsewhere_is_not_followed(desk, server, other):
    """F9."""
    ask(desk, server, Reply(status=307, headers={"Location": other.on("/a", Reply(GOOD))}))
    with pytest.raises(SourceRefused):
        desk.fetch()
    assert other.seen == []


def test_anonymous_access_is_unsigned(desk, server, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ask(desk, server, Reply(GOOD))
    desk.fetch(trust=())
    assert server.seen[0].path == "/bucket/some/key"


def test_s3_mirror(desk, server):
    import hashlib

    server.on(f"/cache/raw/{hashlib.sha256(GOOD).hexdigest()}", Reply(GOOD))
    desk.ask(("a", "file:nowhere", GOOD))
    assert desk.fetch(trust=(), mirror="s3://cache/raw").from_mirror == 1


def test_wrong_endpoint_and_key(desk, server, monkeypatch):
    ask(desk, server, Reply(GOOD))
    desk.ask(("a", "s3://b/../x", GOOD))
    with pytest.raises(PolicyViolation):
        desk.fetch(trust=())
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:9000")
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL: expected an http or https URL"):
        desk.fetch(trust=())
