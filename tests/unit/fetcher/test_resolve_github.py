"""fetcher resolve of an organisation's READMEs on GitHub (F6, F7, F9)."""

import logging
import time

import pytest
from fetcher import GithubReadmes
from stage.errors import ChecksumMismatch, EmptyInput, NetworkFailed, PolicyViolation, SourceRefused
from unit.fetcher.scripted import Reply, Scripted
from unit.fetcher.services import COMMIT, LATER, Github, answer, sha256

TEXT = b"# Clouds\n"
CLOUDS = GithubReadmes("hub-of-clouds")


@pytest.fixture
def github(server: Scripted, other: Scripted, monkeypatch: pytest.MonkeyPatch) -> Github:
    monkeypatch.setenv("GITHUB_API_URL", server.url)
    return Github(server, other)


def names(desk):
    return [row[0] for row in desk.rows()]


def test_readmes_are_pinned_at_commits_sorted_by_name(desk, server, other, github):
    github.add("rain", TEXT)
    github.add("rain-gauge", TEXT * 2, branch="release/1.0", path="docs/README.rst")
    github.add(".github", TEXT * 3, commit=LATER)
    done = desk.resolve(CLOUDS, trust=(other.origin,))  # naming the API is enough to trust it
    assert (done.files, done.bytes) == (3, 54)
    assert desk.rows() == [
        [".github_README.md", github.url(".github", LATER), sha256(TEXT * 3), "27"],
        ["rain-gauge_README.md", github.url("rain-gauge", path="docs/README.rst"), sha256(TEXT * 2), "18"],
        ["rain_README.md", github.url("rain"), sha256(TEXT), "9"],
    ]
    assert "canary" not in desk.sources.read_text()
    desk.fetch()
    assert desk.tree()["rain_README.md"] == TEXT


def test_every_page_of_the_listing_counts(desk, server, github):
    for number in range(5):
        github.add(f"cloud{number}", TEXT)
    github.list(page=2)
    assert desk.resolve(CLOUDS).files == 5


def test_archived_forks_private_and_excluded_are_left_out(desk, server, github, caplog):
    github.add("plain", TEXT)
    github.add("old", TEXT, archived=True)
    github.add("theirs", TEXT, fork=True)
    github.add("secret", TEXT, private=True)
    github.add("noise", TEXT)
    desk.resolve(GithubReadmes("hub-of-clouds", exclude=("noise", "nosie")))
    assert names(desk) == ["plain_README.md"]
    assert caplog.messages == ["hub-of-clouds: excluded repository nosie not found"]
    assert not any("/old" in seen.path or "/secret" in seen.path or "/noise" in seen.path for seen in server.seen)
    desk.resolve(GithubReadmes("hub-of-clouds", archived=True, forks=True))
    assert names(desk) == ["noise_README.md", "old_README.md", "plain_README.md", "theirs_README.md"]


def test_repositories_without_a_readme_are_told_and_passed_over(desk, server, github, caplog):
    caplog.set_level(logging.INFO)
    github.add("bare", None)
    github.add("blank", b"")
    github.add("new", None)
    github.add("rain", TEXT)
    server.on("/repos/hub-of-clouds/new/commits/main", Reply(b'{"message":"Git Repository is empty."}', status=409))
    assert desk.resolve(CLOUDS).files == 1
    assert sorted(caplog.messages) == [
        "hub-of-clouds/bare has no README",
        "hub-of-clouds/blank has an empty README",
        "hub-of-clouds/new is an empty repository",
    ]


RESET = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "{reset}"}
LIMITS = [
    (403, {**RESET}, b'{"message": "API rate limit exceeded for 192.0.2.1."}'),
    (429, {**RESET}, b""),
    (403, {"Retry-After": "{wait}"}, b'{"message": "You have exceeded a secondary rate limit."}'),
    (429, {"Retry-After": "{wait}"}, b""),
]


def limit(status, headers, body, wait):
    told = {name: value.format(reset=int(time.time()) + wait, wait=wait) for name, value in headers.items()}
    return Reply(body, status=status, headers=told)


@pytest.mark.parametrize(("status", "headers", "body"), LIMITS, ids=["403", "429", "403-secondary", "429-secondary"])
@pytest.mark.parametrize("where", ["/orgs/hub-of-clouds/repos", "/commits/main", "/readme"])
def test_limit_far_away_ends_the_run_and_is_never_a_missing_readme(desk, server, github, where, status, headers, body):
    """F6."""
    desk.ask(("rain_README.md", github.url("rain"), TEXT))
    before = desk.sources.read_bytes()
    github.add("rain", TEXT * 2)
    github.add("snow", TEXT)
    [path] = [path for path in server.replies if where in path and "snow" not in path]
    server.on(path, limit(status, headers, body, 3000))
    with pytest.raises(
        NetworkFailed, match=rf"returned HTTP {status} \(rate limit\), retry after (2999|300\d) seconds"
    ):
        desk.resolve(CLOUDS)
    assert desk.sources.read_bytes() == before


@pytest.mark.parametrize(("status", "headers", "body"), LIMITS, ids=["403", "429", "403-secondary", "429-secondary"])
def test_limit_close_by_is_waited_for(desk, server, github, status, headers, body):
    """F6."""
    github.add("rain", TEXT)
    path = f"/repos/hub-of-clouds/rain/readme?ref={COMMIT}"
    server.on(path, limit(status, headers, body, 1), *server.replies[path])
    began = time.monotonic()
    assert desk.resolve(CLOUDS).files == 1
    assert time.monotonic() - began >= 0.9


def test_refusal_without_a_limit_is_a_refusal(desk, server, github):
    github.add("rain", TEXT)
    server.on(f"/repos/hub-of-clouds/rain/readme?ref={COMMIT}", Reply(status=403))
    with pytest.raises(SourceRefused, match=r"hub-of-clouds/rain: rain_README\.md: .* returned HTTP 403"):
        desk.resolve(CLOUDS)


@pytest.mark.parametrize("where", ["/orgs/hub-of-clouds/repos?per_page=100", "/repos/hub-of-clouds/rain/commits/main"])
def test_only_a_missing_readme_may_be_missing(desk, server, github, where):
    github.add("rain", TEXT)
    github.add("snow", TEXT)
    server.on(where, Reply(status=404))
    with pytest.raises(SourceRefused, match="returned HTTP 404"):
        desk.resolve(CLOUDS)
    assert not desk.sources.exists()


@pytest.mark.parametrize("reply", [Reply(b"# Crowds\n"), Reply(TEXT + b"!"), Reply(TEXT[1:])])
def test_other_bytes_than_the_commits_change_nothing(desk, server, other, github, reply):
    """F7: all or nothing."""
    github.add("rain", TEXT)
    github.add("snow", TEXT)
    desk.resolve(CLOUDS)
    before = desk.sources.read_bytes()
    github.add("rain", TEXT * 2, commit=LATER)
    github.add("snow", TEXT, commit=LATER)
    other.on(f"/hub-of-clouds/snow/{LATER}/README.md", reply)
    with pytest.raises(ChecksumMismatch, match=r"snow_README\.md: checksum mismatch for .*: expected git blob"):
        desk.resolve(CLOUDS)
    assert desk.sources.read_bytes() == before
    assert desk.leftovers() == []


def test_pointer_of_git_lfs_is_no_readme(desk, server, github):
    github.add("rain", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 9\n")
    with pytest.raises(ChecksumMismatch, match="Git LFS pointer"):
        desk.resolve(CLOUDS)


def test_new_commits_and_lost_readmes_show(desk, server, github):
    github.add("rain", TEXT)
    github.add("snow", TEXT)
    github.add("wind", TEXT)
    desk.resolve(CLOUDS)
    before = desk.sources.read_bytes()
    assert desk.resolve(CLOUDS).changed == ()
    assert desk.sources.read_bytes() == before
    github.add("rain", TEXT, commit=LATER)
    github.add("snow", None, commit=LATER)
    github.add("fog", TEXT)
    done = desk.resolve(CLOUDS)
    assert (done.added, done.changed, done.removed) == (("fog_README.md",), ("rain_README.md",), ("snow_README.md",))
    assert desk.rows()[1] == ["rain_README.md", github.url("rain", LATER), sha256(TEXT), "9"]


def test_token_goes_to_the_api_alone(desk, server, other, github, monkeypatch, caplog):
    """F9: neither the host of the files nor the Hub gets it, nor any message."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_canary")
    monkeypatch.setenv("HF_ENDPOINT", other.url)
    github.add("rain", TEXT)
    path = f"/repos/hub-of-clouds/rain/readme?ref={COMMIT}"
    replies = server.replies[path]
    server.on(path, Reply(status=503), Reply(status=302, headers={"Location": f"{other.url}/readme"}))
    other.on("/readme", *replies)
    desk.resolve(CLOUDS)
    assert {seen.headers.get("Authorization") for seen in server.seen} == {"Bearer ghp_canary"}
    assert {seen.headers.get("Authorization") for seen in other.seen} == {None}
    assert len(other.seen) == 2
    assert server.seen[0].headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert "canary" not in caplog.text + desk.sources.read_text()


def test_head_that_is_no_commit_is_refused(desk, server, github):
    github.add("rain", TEXT, commit="main")
    with pytest.raises(ChecksumMismatch, match="invalid 'sha' in the API's response"):
        desk.resolve(CLOUDS)


def test_renamed_organisation_is_followed(desk, server, github):
    github.add("rain", TEXT)
    first = "/orgs/hub-of-clouds/repos?per_page=100"
    server.on("/organizations/7/repos", *server.replies[first])
    server.on(first, Reply(status=301, headers={"Location": f"{server.url}/organizations/7/repos"}))
    assert desk.resolve(CLOUDS).files == 1


def test_without_a_download_url_files_come_from_github(desk, server, github, monkeypatch):
    github.add("rain", TEXT)
    path = f"/repos/hub-of-clouds/rain/readme?ref={COMMIT}"
    monkeypatch.setattr("fetcher.github.RAW", github.raw.url)
    told = {"sha": "a" * 40, "size": 9, "path": "README.md", "download_url": None}
    server.on(path, answer(told))
    with pytest.raises(ChecksumMismatch, match=f"checksum mismatch for {github.url('rain')}"):
        desk.resolve(CLOUDS)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"path": "../../elsewhere/README.md"}, PolicyViolation),
        ({"path": None}, ChecksumMismatch),
        ({"sha": "main"}, ChecksumMismatch),
        ({"size": "9"}, ChecksumMismatch),
        ({"download_url": 5}, ChecksumMismatch),
        ({"download_url": "http://[x"}, ChecksumMismatch),
        ({"download_url": "file:///etc/passwd"}, PolicyViolation),
        ({"download_url": "http://169.254.169.254/"}, PolicyViolation),
    ],
)
def test_answer_that_cannot_be_is_refused(desk, server, github, changes, error):
    github.add("rain", TEXT)
    path = f"/repos/hub-of-clouds/rain/readme?ref={COMMIT}"
    told = {"sha": "a" * 40, "size": 9, "path": "README.md", "download_url": github.url("rain"), **changes}
    server.on(path, answer(told))
    with pytest.raises(error):
        desk.resolve(CLOUDS)
    assert not desk.sources.exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "a\nb", ""])
def test_repository_that_cannot_be_is_refused(desk, server, github, name):
    github.add("rain", TEXT)
    github.repositories[0]["name"] = name
    github.list()
    with pytest.raises(ChecksumMismatch, match="invalid repository name"):
        desk.resolve(CLOUDS)


def test_organisation_without_any_readme_is_empty(desk, server, github):
    desk.ask(("rain_README.md", github.url("rain"), TEXT))
    before = desk.sources.read_bytes()
    with pytest.raises(EmptyInput, match="upstream: no files"):
        desk.resolve(CLOUDS)
    assert desk.sources.read_bytes() == before
