"""fetcher resolve of a dataset on the Hugging Face Hub (F9, F17)."""

import time

import pytest
from fetcher import HuggingFace, read_upstream
from fetcher.http import Response
from fetcher.huggingface import _is_data
from fetcher.web import Network
from stage.errors import ChecksumMismatch, EmptyInput, NetworkFailed, PolicyViolation, SourceRefused, UsageError
from unit.fetcher.scripted import Reply, Scripted
from unit.fetcher.services import COMMIT, LATER, Hub, answer, blob, sha256

TEXT, TABLE = b"text,label\nhello,joy\n", b"PAR1 a large table PAR1"


@pytest.fixture
def hub(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("HF_ENDPOINT", server.url + "/")
    return Hub(server)


def flowers(*files: str, **settings: str) -> HuggingFace:
    return HuggingFace("them/flowers", files or ("*.csv",), **settings)


def url(server, path, commit=COMMIT):
    return f"{server.url}/datasets/them/flowers/resolve/{commit}/{path}"


def paths(server):
    return [seen.path for seen in server.seen]


def test_files_are_pinned_at_the_commit_and_large_ones_without_a_download(desk, server, hub):
    hub.publish({"data/b.csv": TEXT, "README.md": b"# Flowers", "run.py": b"import os"}, {"data/a.parquet": TABLE})
    done = desk.resolve(flowers("data/*"), trust=())  # naming the endpoint is enough to trust it
    assert (done.files, done.bytes, done.added) == (2, 44, ("data/a.parquet", "data/b.csv"))
    assert desk.rows() == [
        ["data/a.parquet", url(server, "data/a.parquet"), sha256(TABLE), "23"],
        ["data/b.csv", url(server, "data/b.csv"), sha256(TEXT), "21"],
    ]
    assert paths(server)[-1].endswith("/data/b.csv") and len(server.seen) == 3
    server.on(f"/datasets/them/flowers/resolve/{COMMIT}/data/a.parquet", Reply(TABLE))
    desk.fetch(trust=())
    assert desk.tree() == {"data/a.parquet": TABLE, "data/b.csv": TEXT}


def test_names_are_quoted_in_urls_only(desk, server, hub):
    hub.publish({}, {"data/été 1#.csv": TABLE})
    desk.resolve(flowers())
    assert desk.rows() == [["data/été 1#.csv", url(server, "data/%C3%A9t%C3%A9%201%23.csv"), sha256(TABLE), "23"]]


def test_every_page_of_the_listing_counts(desk, server, hub):
    hub.publish({}, {f"{number}.csv": TABLE for number in range(9)}, page=3)
    assert desk.resolve(flowers()).files == 9
    assert [row[0] for row in desk.rows()] == [f"{number}.csv" for number in range(9)]
    assert sum("/tree/" in path for path in paths(server)) == 4


def test_pages_elsewhere_or_without_end_are_refused(desk, server, other, hub):
    hub.publish({"a.csv": TEXT})
    tree = f"/api/datasets/them/flowers/tree/{COMMIT}?recursive=true"
    for target, message in ((other.url + tree, f"on another host, {other.origin}; fix: .*HF_ENDPOINT"), (tree, "end")):
        server.on(tree, answer([], Link=f'<{target}>; rel="next"'))
        with pytest.raises(PolicyViolation, match=message):
            desk.resolve(flowers())
    assert other.seen == []


def test_moved_revision_shows_as_a_change(desk, server, hub):
    """F17."""
    hub.publish({"a.csv": TEXT, "b.csv": TEXT})
    desk.resolve(flowers())
    before = desk.sources.read_bytes()
    hub.publish({"a.csv": TEXT * 2, "c.csv": TEXT}, commit=LATER)
    done = desk.resolve(flowers())
    assert (done.added, done.changed, done.removed) == (("c.csv",), ("a.csv",), ("b.csv",))
    assert desk.rows()[0] == ["a.csv", url(server, "a.csv", LATER), sha256(TEXT * 2), "42"]
    hub.publish({"a.csv": TEXT, "b.csv": TEXT})
    desk.resolve(flowers(revision="main"))
    assert desk.sources.read_bytes() == before


def test_nothing_changed_leaves_every_byte(desk, server, hub):
    hub.publish({"a.csv": TEXT}, {"b.csv": TABLE})
    desk.resolve(flowers())
    before, inode = desk.sources.read_bytes(), desk.sources.stat().st_ino
    done = desk.resolve(flowers())
    assert (done.files, done.added, done.changed, done.removed) == (2, (), (), ())
    assert (desk.sources.read_bytes(), desk.sources.stat().st_ino) == (before, inode)


def test_branches_with_a_slash_and_commits_are_revisions(desk, server, hub):
    hub.publish({"a.csv": TEXT}, revision="refs%2Fconvert%2Fparquet")
    desk.resolve(flowers(revision="refs/convert/parquet"))
    hub.publish({"a.csv": TEXT}, revision=COMMIT)
    assert desk.resolve(flowers(revision=COMMIT)).changed == ()


def test_another_commit_than_asked_for_is_a_mismatch(desk, server, hub):
    """F17."""
    hub.publish({"a.csv": TEXT}, commit=COMMIT, revision=LATER)
    with pytest.raises(ChecksumMismatch, match=f"expected commit {LATER}, the Hub returned {COMMIT}"):
        desk.resolve(flowers(revision=LATER))


@pytest.mark.parametrize("sent", [TEXT[:-1] + b"!", TEXT[:-1], TEXT + b"x", b"<html>sign in</html>"])
@pytest.mark.parametrize("length", [True, False])
def test_file_that_is_not_the_commits_is_a_mismatch(desk, server, hub, sent, length):
    """F17: replaced, of the same size too."""
    hub.publish({"a.csv": TEXT})
    desk.resolve(flowers())
    before = desk.sources.read_bytes()
    hub.publish({"a.csv": TEXT, "b.csv": TEXT}, commit=LATER)
    server.on(f"/datasets/them/flowers/resolve/{LATER}/b.csv", Reply(sent, length=length))
    cut = not length and len(sent) < len(TEXT)  # it may have been cut: worth another try
    with pytest.raises(NetworkFailed if cut else ChecksumMismatch, match=r"dataset them/flowers b\.csv: b\.csv: "):
        desk.resolve(flowers(), tries=2)
    assert desk.sources.read_bytes() == before


def test_mismatch_says_what_was_wanted_and_came(desk, server, hub):
    hub.publish({"a.csv": TEXT})
    server.on(f"/datasets/them/flowers/resolve/{COMMIT}/a.csv", Reply(TEXT.upper()))
    with pytest.raises(ChecksumMismatch) as caught:
        desk.resolve(flowers())
    assert str(caught.value) == (
        f"dataset them/flowers a.csv: a.csv: checksum mismatch for {url(server, 'a.csv')}: "
        f"expected git blob {blob(TEXT)} (21 bytes), got {blob(TEXT.upper())} (21 bytes); "
        "fix: run again; if it persists, remove the file from params.yaml"
    )


def test_pointer_where_git_has_nothing_else_is_no_data(desk, server, hub):
    """F17: committed as text, so that size and checksum fit."""
    hub.publish({"a.csv": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 9\n"})
    with pytest.raises(ChecksumMismatch, match="is a Git LFS pointer, not the file"):
        desk.resolve(flowers())
    assert not desk.sources.exists()


@pytest.mark.parametrize(
    "path", ["a.pkl", "a.py", "a.bin", "a.pt", "a.csv.exe", "a", "a.pkl.gz", "a.tar.h5", "a.gz.gz", "x.csv/a.h5"]
)
@pytest.mark.parametrize("large", [True, False])
def test_code_and_pickles_are_refused_unseen(desk, server, hub, path, large):
    """F17."""
    hub.publish({"b.csv": TEXT, **({} if large else {path: TEXT})}, {path: TABLE} if large else None)
    with pytest.raises(PolicyViolation, match=r"is not a data file; expected one of \.arrow, \.bz2, \.csv, "):
        desk.resolve(flowers("*"))
    assert not any("/resolve/" in seen for seen in paths(server))
    assert desk.resolve(flowers("b.csv")).files == 1


@pytest.mark.parametrize("path", ["a.CSV", "a.json.zst", "images-idx3-ubyte.gz", "x/a.JPEG", "a.parquet", "v1.2/a.txt"])
def test_data_is_known_by_its_suffix(path):
    assert _is_data(path)


@pytest.mark.parametrize(("glob", "what"), [("*.tsv", "no file matches *.tsv"), ("b.csv", "file b.csv not found")])
def test_file_that_is_gone_is_named(desk, server, hub, glob, what):
    """F17."""
    hub.publish({"a.csv": TEXT})
    with pytest.raises(SourceRefused) as caught:
        desk.resolve(flowers("*.csv", glob))
    assert caught.value.what == f"{what} at {COMMIT}"


def test_file_named_like_a_glob_is_found_by_its_name(desk, server, hub):
    hub.publish({}, {"a[1].csv": TABLE})
    assert desk.resolve(flowers("a[1].csv")).added == ("a[1].csv",)


@pytest.mark.parametrize("large", [True, False])
def test_empty_file_is_refused(desk, server, hub, large):
    hub.publish({} if large else {"a.csv": b""}, {"a.csv": b""} if large else None)
    with pytest.raises(EmptyInput):
        desk.resolve(flowers())


def test_longer_file_is_not_read_to_its_end(desk, server, hub):
    """F17."""
    hub.publish({"a.csv": TEXT})
    server.on(f"/datasets/them/flowers/resolve/{COMMIT}/a.csv", Reply(TEXT * 2, hold_at=30))
    with pytest.raises(ChecksumMismatch, match="got at least 30 bytes"):
        desk.resolve(flowers())


@pytest.mark.parametrize("status", [401, 403, 404])
def test_absent_dataset_is_refused_at_once(desk, server, hub, status):
    server.on("/api/datasets/them/flowers/revision/main", Reply(status=status))
    with pytest.raises(SourceRefused, match=f"dataset them/flowers: .*/revision/main returned HTTP {status}"):
        desk.resolve(flowers())
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"<html>"),
        Reply(b"[" * 100_000),
        answer([]),
        answer({"sha": None}),
        answer({"sha": "main"}),
        answer({"sha": 5}),
    ],
)
def test_answer_that_is_none_of_the_hub_is_a_mismatch(desk, server, hub, reply):
    server.on("/api/datasets/them/flowers/revision/main", reply)
    with pytest.raises(ChecksumMismatch, match=r"fix: check what responds there"):
        desk.resolve(flowers())


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {"type": "file", "path": "a.csv", "size": 4, "oid": "short"},
        {"type": "file", "path": "a.csv", "size": -4, "oid": "a" * 40},
        {"type": "file", "path": "a.csv", "size": True, "oid": "a" * 40},
        {"type": "file", "path": "a.csv", "size": 4, "oid": "a" * 40, "lfs": {"size": 4, "oid": "a" * 40}},
        {"type": "file", "path": "a.csv", "size": 4, "oid": "a" * 40, "lfs": {"size": "4", "oid": "a" * 64}},
        {"type": "file", "path": "a.csv", "lfs": {"size": 10**18, "oid": "a" * 64}},  # more than sources.csv takes
        {"type": "file", "path": 5},
        ["a.csv"],
    ],
)
def test_entry_without_a_usable_checksum_is_never_a_pin(desk, server, hub, entry):
    hub.publish({})
    server.on(f"/api/datasets/them/flowers/tree/{COMMIT}", answer([entry] if entry else 5))
    server.replies.pop(f"/api/datasets/them/flowers/tree/{COMMIT}?recursive=true")
    with pytest.raises(ChecksumMismatch):
        desk.resolve(flowers())
    assert not desk.sources.exists()


def test_listing_cannot_name_a_file_outside_the_output(desk, server, hub):
    hub.publish({}, {"../../a.csv": TABLE})
    with pytest.raises(PolicyViolation, match=r"empty, \. or \.\. component"):
        desk.resolve(flowers())


def test_answer_without_end_is_not_read_to_its_end(desk, server, hub, monkeypatch):
    monkeypatch.setattr("fetcher.api.MAX_BYTES", 1000)
    server.on("/api/datasets/them/flowers/revision/main", Reply(b" " * 2000, length=False))
    with pytest.raises(PolicyViolation, match="more than 1000 bytes from"):
        desk.resolve(flowers())


def test_token_goes_to_the_hub_alone(desk, server, other, hub, monkeypatch, caplog):
    """F9: a file of the Hub may lie elsewhere, where a redirect leads."""
    monkeypatch.setenv("HF_TOKEN", "hf_canary\n")
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_canary")
    hub.publish({"a.csv": TEXT})
    elsewhere = other.on("/cdn/a.csv", Reply(TEXT))
    server.on(f"/datasets/them/flowers/resolve/{COMMIT}/a.csv", Reply(status=302, headers={"Location": elsewhere}))
    desk.resolve(flowers())
    assert {seen.headers.get("Authorization") for seen in server.seen} == {"Bearer hf_canary"}
    assert len(server.seen) == 3
    assert set(other.seen[0].headers) == {"Host", "User-Agent", "Connection", "Accept-Encoding"}
    server.on(f"/datasets/them/flowers/resolve/{COMMIT}/a.csv", Reply(status=403))
    with pytest.raises(SourceRefused) as caught:
        desk.resolve(flowers())
    assert "canary" not in str(caught.value) + caplog.text + desk.sources.read_text()


def test_without_an_endpoint_the_token_goes_to_the_public_hub(desk, monkeypatch):
    """It is not trusted with private addresses, as one that is named would be."""
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    sent: list[tuple[str, frozenset[str], str]] = []

    def get(network: Network, url: str, headers: object, where: str) -> Response:
        assert "canary" not in repr(network)
        sent.append((url, network.trusted, network.tokens["https://huggingface.co:443"]))
        raise SourceRefused(where, "nobody home", "none")

    monkeypatch.setattr(Network, "get", get)
    with pytest.raises(SourceRefused, match="nobody home"):
        desk.resolve(flowers(), trust=())
    trusted = frozenset({"s3.amazonaws.com:443"})
    assert sent == [("https://huggingface.co/api/datasets/them/flowers/revision/main", trusted, "hf_canary")]


@pytest.mark.parametrize(("name", "value"), [("HF_TOKEN", "a b"), ("GITHUB_TOKEN", "a\nb"), ("HF_TOKEN", "é")])
def test_token_that_is_none_is_refused_untold(desk, server, hub, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        desk.resolve(flowers())
    assert str(caught.value).startswith(f"{name}: invalid token: ") and value not in str(caught.value)
    assert server.seen == []


@pytest.mark.parametrize(
    "value", ["huggingface.co", "ftp://h/", "https://u:p@h/", "https://h/?a", "http://h:x/", "//h"]
)
def test_endpoint_that_is_no_address_is_refused(desk, monkeypatch, value):
    monkeypatch.setenv("HF_ENDPOINT", value)
    with pytest.raises(UsageError, match="HF_ENDPOINT: expected an http or https URL"):
        desk.resolve(flowers())


def test_failing_hub_is_asked_again_and_waited_for(desk, server, hub):
    hub.publish({"a.csv": TEXT})
    [info] = server.replies["/api/datasets/them/flowers/revision/main"]
    wait = Reply(status=429, headers={"Retry-After": "1"})
    server.on("/api/datasets/them/flowers/revision/main", Reply(status=502), wait, info)
    began = time.monotonic()
    desk.resolve(flowers())
    assert time.monotonic() - began >= 0.9


def test_limit_of_the_hub_says_when_to_come_back(desk, server, hub):
    limit = {"RateLimit": '"api";r=0;t=250', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}
    server.on("/api/datasets/them/flowers/revision/main", Reply(status=429, headers=limit))
    with pytest.raises(NetworkFailed, match=r"429 \(rate limit\), retry after 250 seconds; fix: run again after"):
        desk.resolve(flowers())
    assert len(server.seen) == 1


CARD = {
    "configs": [
        {"config_name": "small", "data_files": "small/*.csv"},
        {
            "config_name": "large",
            "data_files": [
                {"split": "train", "path": "large/train-*"},
                {"split": "test", "path": ["large/**/test.csv"]},
            ],
        },
        {"config_name": "folder", "data_dir": "more"},
        {"config_name": "nonsense", "data_files": 7},
        "nonsense",
    ]
}
FILES = dict.fromkeys(["small/a.csv", "large/train-0.csv", "large/x/test.csv", "more/b.csv", "extra/c.csv"], TEXT)


def describe(hub: Hub, card: object) -> None:
    """Give the dataset a card with this metadata."""
    path = f"/api/datasets/{hub.name}/revision/main"
    hub.server.on(path, answer({"sha": COMMIT, "cardData": card}))


@pytest.mark.parametrize(
    ("config", "files"),
    [
        ("small", ["small/a.csv"]),
        ("large", ["large/train-0.csv", "large/x/test.csv"]),
        ("folder", ["more/b.csv"]),
        ("extra", ["extra/c.csv"]),  # a folder that the card does not mention
    ],
)
def test_config_has_the_files_that_the_card_says(desk, hub, config, files):
    hub.publish(FILES)
    describe(hub, CARD)
    desk.resolve(HuggingFace("them/flowers", config=config))
    assert [row[0] for row in desk.rows()] == files


def test_default_config_needs_no_name(desk, hub):
    hub.publish(FILES)
    describe(hub, {"configs": [*CARD["configs"], {"config_name": "default", "data_files": "more/*"}]})
    desk.resolve(HuggingFace("them/flowers"))
    assert [row[0] for row in desk.rows()] == ["more/b.csv"]
    describe(hub, {"configs": [*CARD["configs"], {"config_name": "x", "data_files": "extra/*", "default": True}]})
    desk.resolve(HuggingFace("them/flowers"))
    assert [row[0] for row in desk.rows()] == ["extra/c.csv"]


@pytest.mark.parametrize("config", ["", "other"])
def test_one_of_several_configs_must_be_named(desk, hub, config):
    hub.publish(FILES)
    describe(hub, CARD)
    with pytest.raises(UsageError, match=r"config.* one of: folder, large, small$") as caught:
        desk.resolve(HuggingFace("them/flowers", config=config))
    assert caught.value.code == 2 and not desk.sources.exists()


@pytest.mark.parametrize("card", [None, {}, {"configs": []}, {"configs": "x"}, []])
def test_without_configs_all_data_files_are_taken(desk, hub, card):
    about = {
        "README.md": b"# Flowers",
        "LICENSE.txt": b"CC0",
        "dataset_infos.json": b"{}",
        ".x/y.csv": TEXT,
        "run.py": b"",
    }
    hub.publish({**FILES, **about})
    describe(hub, card)
    desk.resolve(HuggingFace("them/flowers"))
    assert [row[0] for row in desk.rows()] == sorted(FILES)


def test_config_and_files_exclude_each_other(tmp_path):
    params = tmp_path / "params.yaml"
    params.write_text("upstream: {kind: huggingface, dataset: a/b, config: x, files: [y]}\n")
    with pytest.raises(UsageError, match="files and config are both set; fix: remove one"):
        read_upstream(params)
