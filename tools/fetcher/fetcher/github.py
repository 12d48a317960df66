"""Upstream is a GitHub organisation: the README of each of its repositories, at the head of the default branch."""

import logging
import re
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from fetcher.api import Api, field, malformed
from fetcher.digests import Blob, pin
from fetcher.endpoints import GITHUB
from fetcher.failures import Absent, Conflict
from fetcher.names import check_name
from fetcher.resolving import Found, Task
from fetcher.transfer import Rules
from fetcher.upstream import COMMIT, GithubReadmes
from fetcher.web import Network, WebFile

log = logging.getLogger(__name__)
RAW = "https://raw.githubusercontent.com"
# https://docs.github.com/rest/about-the-rest-api/api-versions
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
REPOSITORY = re.compile(r"[A-Za-z0-9._-]+")


def list_readmes(upstream: GithubReadmes, network: Network, rules: Rules) -> dict[str, Task]:
    """Return what pins the README of each repository, by the name it gets; a task finds None where there is none.

    Private repositories are left out: whoever fetches later could not read them. Raises SourceRefused where there is
    no such organisation.
    """
    readmes = _Readmes(upstream.organisation, network, rules)
    tasks = {f"{name}_README.md": partial(readmes.pin, name, branch) for name, branch in readmes.repositories(upstream)}
    return dict(sorted(tasks.items()))


class _Readmes:
    """The READMEs of one organisation."""

    def __init__(self, organisation: str, network: Network, rules: Rules) -> None:
        self._organisation, self._network, self._rules = organisation, network, rules
        self._api = Api(GITHUB, network, rules, HEADERS)

    def repositories(self, upstream: GithubReadmes) -> list[tuple[str, str]]:
        """Return (name, default branch) of the repositories wanted."""
        where, wanted, excluded = f"organisation {self._organisation}", [], set(upstream.exclude)
        for entry in self._api.pages(f"/orgs/{self._organisation}/repos?per_page=100", where):
            name = field(entry, "name", str, where)
            if not REPOSITORY.fullmatch(name):
                raise malformed(where, f"the API lists a repository {name[:80]!r}")
            left_out = (
                (name in excluded, "it is excluded"),
                (field(entry, "private", bool, where), "it is private"),
                (field(entry, "archived", bool, where) and not upstream.archived, "it is archived"),
                (field(entry, "fork", bool, where) and not upstream.forks, "it is a fork"),
            )
            excluded.discard(name)
            if reasons := [reason for applies, reason in left_out if applies]:
                log.debug("%s/%s is left out: %s", self._organisation, name, reasons[0])
            else:
                wanted.append((name, field(entry, "default_branch", str, where)))
        for name in sorted(excluded):
            log.warning("%s has no repository %s, which params.yaml excludes", self._organisation, name)
        return wanted

    def pin(self, name: str, branch: str) -> Found | None:
        """Find the README of a repository; None where it, or the repository, is empty or absent."""
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
        except Absent:
            log.info("%s has no README", repository)
            return None
        blob = Blob(_sha(readme, repository), field(readme, "size", int, repository))
        if blob.size == 0:
            log.info("%s has an empty README", repository)
            return None
        path = field(readme, "path", str, repository)
        check_name(path, repository)
        url = f"{_raw(readme, repository)}/{repository}/{commit}/{quote(path)}"
        return Found((url,), pin(WebFile(url, self._network, repository), self._rules, repository, blob))


def _sha(document: Any, where: str) -> str:
    sha = field(document, "sha", str, where)
    if not COMMIT.fullmatch(sha):
        raise malformed(where, "the API's answer has no usable 'sha'")
    return sha


def _raw(readme: Any, where: str) -> str:
    """Return the host that sends files as they are: another one where GitHub is not github.com."""
    if readme.get("download_url") is None:
        return RAW
    try:
        parts = urlsplit(field(readme, "download_url", str, where))
    except ValueError as error:
        raise malformed(where, "the API's answer has no usable 'download_url'") from error
    return f"{parts.scheme}://{parts.netloc}"
