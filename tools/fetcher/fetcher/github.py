"""Upstream is a GitHub organisation: the README of each of its repositories, at the head of the default branch."""

import logging
import re
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from fetcher.api import GITHUB, Api, field, unexpected
from fetcher.failures import Conflict, Limits, NotFound
from fetcher.names import check_name
from fetcher.pinning import Blob, compute_pin
from fetcher.upstream import COMMIT, GithubReadmes, PinnedFile, Task
from fetcher.web import Network, WebFile

log = logging.getLogger(__name__)
RAW = "https://raw.githubusercontent.com"
# https://docs.github.com/rest/about-the-rest-api/api-versions
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
REPOSITORY = re.compile(r"[A-Za-z0-9._-]+")


def list_readmes(upstream: GithubReadmes, network: Network, limits: Limits) -> dict[str, Task]:
    """Return the tasks that pin the README of each repository, by file name.

    Private repositories are left out: later fetches could not read them. Raises SourceRefused if the organisation is
    not found.
    """
    readmes = _Readmes(upstream.organisation, network, limits)
    tasks = {f"{name}_README.md": partial(readmes.pin, name, branch) for name, branch in readmes.repositories(upstream)}
    return dict(sorted(tasks.items()))


class _Readmes:
    """The READMEs of one organisation."""

    def __init__(self, organisation: str, network: Network, limits: Limits) -> None:
        self._organisation, self._network, self._limits = organisation, network, limits
        self._api = Api(GITHUB, network, limits, HEADERS)

    def repositories(self, upstream: GithubReadmes) -> list[tuple[str, str]]:
        """Return (name, default branch) of the selected repositories."""
        where, selected, excluded = f"organisation {self._organisation}", [], set(upstream.exclude)
        for entry in self._api.pages(f"/orgs/{self._organisation}/repos?per_page=100", where):
            name = field(entry, "name", str, where)
            if not REPOSITORY.fullmatch(name):
                raise unexpected(where, f"invalid repository name {name[:80]!r} in the API's response")
            checks = (
                (name in excluded, "excluded"),
                (field(entry, "private", bool, where), "private"),
                (field(entry, "archived", bool, where) and not upstream.archived, "archived"),
                (field(entry, "fork", bool, where) and not upstream.forks, "a fork"),
            )
            excluded.discard(name)
            if reasons := [reason for applies, reason in checks if applies]:
                log.debug("%s/%s is skipped: %s", self._organisation, name, reasons[0])
            else:
                selected.append((name, field(entry, "default_branch", str, where)))
        for name in sorted(excluded):
            log.warning("%s: excluded repository %s not found", self._organisation, name)
        return selected

    def pin(self, name: str, branch: str) -> PinnedFile | None:
        """Return the pinned README of a repository; None if it, or the repository, is empty or absent."""
        repository = f"{self._organisation}/{name}"
        target = f"/repos/{repository}"
        try:
            head = self._api.get(f"{target}/commits/{quote(branch, safe='')}", repository)
        except Conflict:
            log.info("%s is an empty repository", repository)
            return None
        commit = _sha(head, repository)
        try:
            readme = self._api.get(f"{target}/readme?ref={commit}", repository)
        except NotFound:
            log.info("%s has no README", repository)
            return None
        blob = Blob(_sha(readme, repository), field(readme, "size", int, repository))
        if blob.size == 0:
            log.info("%s has an empty README", repository)
            return None
        path = field(readme, "path", str, repository)
        check_name(path, repository)
        url = f"{_raw_host(readme, repository)}/{repository}/{commit}/{quote(path)}"
        return PinnedFile((url,), compute_pin(WebFile(url, self._network, repository), self._limits, repository, blob))


def _sha(document: Any, where: str) -> str:
    sha = field(document, "sha", str, where)
    if not COMMIT.fullmatch(sha):
        raise unexpected(where, "invalid 'sha' in the API's response")
    return sha


def _raw_host(readme: Any, where: str) -> str:
    """Return the host that sends files as they are: GitHub Enterprise has one of its own."""
    if readme.get("download_url") is None:
        return RAW
    try:
        parts = urlsplit(field(readme, "download_url", str, where))
    except ValueError as error:
        raise unexpected(where, "invalid 'download_url' in the API's response") from error
    return f"{parts.scheme}://{parts.netloc}"
