"""fetcher resolve of a prefix in S3: every object is listed, read once and pinned."""

from xml.sax.saxutils import escape

import pytest
from fetcher import S3Prefix, read_upstream
from stage.errors import ChecksumMismatch, NetworkFailed, SourceRefused, UsageError
from unit.fetcher.scripted import Reply
from unit.fetcher.services import sha256
from unit.fetcher.test_s3 import xml

FIRST, SECOND = b"x,y\n1,2\n", b"x,y\n3,4\n"


@pytest.fixture(autouse=True)
def endpoint(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")


def page(objects: dict[str, int], token: str = "") -> Reply:
    entries = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size></Contents>" for key, size in objects.items()
    )
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    text = f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{more}{entries}</ListBucketResult>'
    return Reply(text.encode(), headers={"Content-Type": "application/xml"})


def publish(server, objects: dict[str, bytes]) -> None:
    """Have a bucket hold these objects."""
    server.on("/bucket", page({key: len(content) for key, content in objects.items()}))
    for key, content in objects.items():
        server.on(f"/bucket/{key}", Reply(content))


def queries(server) -> list[str]:
    return [seen.path for seen in server.seen if seen.path.startswith("/bucket?")]


def test_objects_are_pinned_by_the_rest_of_their_keys_and_fetched_by_what_was_written(desk, server):
    publish(server, {"in/b.csv": SECOND, "in/2024/a.csv": FIRST, "in/": b"", "in/_SUCCESS": b""})
    done = desk.resolve(S3Prefix("s3://bucket/in/"), trust=())  # naming the endpoint is enough to trust it
    assert (done.files, done.added) == (2, ("2024/a.csv", "b.csv"))
    assert desk.rows() == [
        ["2024/a.csv", "s3://bucket/in/2024/a.csv", sha256(FIRST), "8"],
        ["b.csv", "s3://bucket/in/b.csv", sha256(SECOND), "8"],
    ]
    (query,) = queries(server)
    assert "prefix=in%2F&" in query and "list-type=2" in query and "X-Amz-Signature=" in query
    desk.fetch(trust=())
    assert desk.tree() == {"2024/a.csv": FIRST, "b.csv": SECOND}


def test_new_changed_and_vanished_objects_are_told_and_a_new_one_is_one_row(desk, server):
    publish(server, {"in/a.csv": FIRST, "in/b.csv": FIRST})
    desk.resolve(S3Prefix("s3://bucket/in/"))
    before = desk.rows()
    publish(server, {"in/a.csv": FIRST, "in/b.csv": FIRST, "in/c.csv": SECOND})
    assert desk.resolve(S3Prefix("s3://bucket/in/")).added == ("c.csv",)
    assert desk.rows()[:2] == before and len(desk.rows()) == 3
    publish(server, {"in/b.csv": SECOND, "in/c.csv": SECOND})
    done = desk.resolve(S3Prefix("s3://bucket/in/"))
    assert (done.added, done.changed, done.removed) == ((), ("b.csv",), ("a.csv",))


def test_every_page_counts_and_keys_are_decoded(desk, server):
    server.on("/bucket", page({"in/a+b%2B%C3%A9.csv": 8}, token="1/x+"), page({"in/%23.csv": 8}))
    server.on("/bucket/in/a%20b%2B%C3%A9.csv", Reply(FIRST))
    server.on("/bucket/in/%23.csv", Reply(SECOND))
    desk.resolve(S3Prefix("s3://bucket/in/"))
    assert [row[:2] for row in desk.rows()] == [
        ["#.csv", "s3://bucket/in/%23.csv"],
        ["a b+é.csv", "s3://bucket/in/a%20b%2B%C3%A9.csv"],
    ]
    assert "continuation-token=1%2Fx%2B" in queries(server)[1]
    desk.fetch()
    assert desk.tree() == {"#.csv": SECOND, "a b+é.csv": FIRST}


def test_files_narrow_the_prefix(desk, server):
    publish(server, {"in/a.csv": FIRST, "in/log.txt": SECOND})
    desk.resolve(S3Prefix("s3://bucket/in/", ("*.csv",)))
    assert [row[0] for row in desk.rows()] == ["a.csv"]
    with pytest.raises(SourceRefused, match=r"no object matches \*.json; fix: correct files in params.yaml"):
        desk.resolve(S3Prefix("s3://bucket/in/", ("*.csv", "*.json")))


def test_bucket_in_another_region_is_asked_there(desk, server):
    publish(server, {"in/a.csv": FIRST})
    listing = server.replies["/bucket"][0]
    server.on("/bucket", xml("PermanentRedirect", 301, **{"x-amz-bucket-region": "eu-west-3"}), listing)
    assert desk.resolve(S3Prefix("s3://bucket/in/")).files == 1
    assert "eu-west-3" in queries(server)[1]


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (xml("NoSuchBucket", 404), SourceRefused, "s3://bucket/in/ returned HTTP 404 NoSuchBucket"),
        (xml("AccessDenied", 403), SourceRefused, "HTTP 403 AccessDenied; fix: check the URL and your access"),
        (xml("SlowDown", 503), NetworkFailed, "HTTP 503 SlowDown; gave up after 2 attempts"),
        (page({}), SourceRefused, "no objects with content; fix: correct prefix in params.yaml"),
        (page({"in/a.csv": 0}), SourceRefused, "no objects with content"),
        (Reply(b"<html>a proxy</html>"), ChecksumMismatch, "expected a list of objects"),
        (Reply(b"not XML"), ChecksumMismatch, "expected a list of objects"),
        (Reply(b'<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult/>'), ChecksumMismatch, "expected a list of objects"),
    ],
)
def test_failures_name_place_and_cure_and_no_secret(desk, server, caplog, reply, error, message):
    server.on("/bucket", reply)
    with pytest.raises(error, match=message) as caught:
        desk.resolve(S3Prefix("s3://bucket/in/"), tries=2)
    assert caught.value.where in {"s3://bucket/in/", "upstream"}
    assert "canary" not in str(caught.value) + caplog.text and "Signature" not in str(caught.value) + caplog.text
    assert not desk.sources.exists()


def test_anonymous_access_is_unsigned(desk, server, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    publish(server, {"in/a.csv": FIRST})
    desk.resolve(S3Prefix("s3://bucket/in/"))
    assert all("X-Amz" not in seen.path for seen in server.seen)


@pytest.mark.parametrize("prefix", ["s3://bucket/a", "s3:///a/", "https://bucket/a/", "bucket/a/", "s3://a@b/c/"])
def test_prefix_ends_in_a_slash(tmp_path, prefix):
    params = tmp_path / "params.yaml"
    params.write_text(f"upstream: {{kind: s3, prefix: '{prefix}'}}\n")
    with pytest.raises(UsageError, match=r"invalid prefix .*; fix: write s3://bucket/folder/"):
        read_upstream(params)
    params.write_text("upstream: {kind: s3, prefix: s3://bucket/}\n")
    assert read_upstream(params) == S3Prefix("s3://bucket/")
