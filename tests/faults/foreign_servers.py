"""The Hugging Face Hub and GitHub, one of whose answers is damaged."""

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from unittest import mock

from faults.foreign_documents import COMMIT, HEAD, HUB_INFO, HUB_TREE, RAW, README, REPOSITORIES
from fetcher import GithubReadmes, HuggingFace, resolve
from fetcher.sources import read_sources
from unit.fetcher.scripted import Reply, Scripted
from unit.fetcher.services import blob

TEXT = b"# Snow\n"
HUB = {"revision": "/api/datasets/them/flowers/revision/main", "tree": f"/api/datasets/them/flowers/tree/{COMMIT}"}
GITHUB = {
    "repos": "/orgs/clouds/repos",
    "commits": "/repos/clouds/rain/commits/main",
    "readme": "/repos/clouds/rain/readme",
}
ANSWERS = {
    HUB["revision"]: HUB_INFO,
    HUB["tree"]: HUB_TREE,
    GITHUB["repos"]: REPOSITORIES,
    GITHUB["commits"]: HEAD,
    GITHUB["readme"]: README,
    "/repos/clouds/snow/commits/main": HEAD,
    "/repos/clouds/snow/readme": {**README, "size": len(TEXT), "sha": blob(TEXT)},
}
RUNNING = ExitStack()


@cache
def server() -> Scripted:
    """Return a server that runs as long as the process."""
    return RUNNING.enter_context(Scripted().running())


def answered_by_hub(which: str) -> Callable[[bytes], None]:
    """Return how the Hub's dataset is resolved while one of its answers has other bytes."""
    return lambda content: _resolved(HUB[which], content, HuggingFace("them/flowers", ("*.csv", "*.parquet")))


def answered_by_github(which: str) -> Callable[[bytes], None]:
    """Return how GitHub's READMEs are resolved while one of its answers has other bytes."""
    return lambda content: _resolved(GITHUB[which], content, GithubReadmes("clouds"))


def _resolved(path: str, content: bytes, upstream: HuggingFace | GithubReadmes) -> None:
    url = server().url
    for each, document in ANSWERS.items():
        here = content if each == path else json.dumps(document).encode()
        server().on(each, Reply(here.replace(RAW, url.encode())))
    server().on(f"/clouds/snow/{COMMIT}/docs/README.md", Reply(TEXT))
    server().seen.clear()
    sources = _folder() / "sources.csv"
    sources.unlink(missing_ok=True)
    with mock.patch.dict(os.environ, {"HF_ENDPOINT": url, "GITHUB_API_URL": url}):
        resolve(sources, upstream, trust=(server().origin,), tries=1, backoff=0)
    read_sources(sources)


@cache
def _folder() -> Path:
    return Path(mkdtemp(prefix="foreign-"))
