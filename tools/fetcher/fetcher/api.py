"""Ask a JSON API: with tries, a limit of size, and every page of an answer that comes in several."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urljoin

from stage.errors import ChecksumMismatch, CorruptFile, PolicyViolation
from stage.foreign import read_json
from stage.redaction import safe_url

from fetcher.addresses import web_address
from fetcher.endpoints import Service
from fetcher.http import Response
from fetcher.retries import persistently
from fetcher.transfer import Rules
from fetcher.web import Network, WebFile

T = TypeVar("T")
LIMIT = 64 << 20  # bytes of one answer: a page of a listing has less than one
PAGES = 2000
AGAIN = "check the network and run again"
LINK = re.compile(r"<([^>]*)>([^<]*)")  # RFC 8288: <target>; parameters


class Api:
    """The API of a service."""

    def __init__(self, service: Service, network: Network, rules: Rules, headers: Mapping[str, str]) -> None:
        self.url = service.url()
        self._service, self._network, self._rules, self._headers = service, network, rules, headers

    def get(self, target: str, where: str) -> Any:
        """Return the answer to one question; ``target`` is path and query."""
        return self._ask(self.url + target, where)[0]

    def pages(self, target: str, where: str) -> Iterator[Any]:
        """Yield the items of all pages of a list, which its Link headers chain."""
        url: str | None = self.url + target
        seen: set[str] = set()
        while url:
            if url in seen or len(seen) == PAGES:
                raise PolicyViolation(where, f"{safe_url(url)} has pages without end", "ask whoever runs the API")
            seen.add(url)
            items, following = self._ask(url, where)
            if not isinstance(items, list):
                raise malformed(where, f"{safe_url(url)} answered no list")
            yield from items
            url = following

    def _ask(self, url: str, where: str) -> tuple[Any, str | None]:
        """Return an answer, and the URL of its next page."""
        rules = self._rules

        def attempt() -> tuple[bytes, str]:
            response = WebFile(url, self._network, where, self._headers).open(None)
            try:
                return _body(response, url, where), response.header("Link") or ""
            finally:
                response.close()

        body, links = persistently(attempt, rules.tries, rules.backoff, rules.watch.sleep, where, AGAIN)
        try:
            return read_json(body, where, limit=LIMIT), self._following(url, links, where)
        except (ValueError, CorruptFile) as error:
            raise malformed(where, f"{safe_url(url)} answered no JSON") from error

    def _following(self, url: str, links: str, where: str) -> str | None:
        for target, parameters in LINK.findall(links):
            if re.search(r';\s*rel="?next"?', parameters):
                following: str = urljoin(url, target)
                here, there = web_address(url, where), web_address(following, where)
                if (here.scheme, here.origin) != (there.scheme, there.origin):
                    what = f"{safe_url(url)} has its next page on another host, {there.origin}"
                    raise PolicyViolation(where, what, f"if you mean that host, name it in {self._service.variable}")
                return following
        return None


def field(document: Any, name: str, kind: type[T], where: str) -> T:
    """Return a member of a JSON object; raise ChecksumMismatch unless it is of that type."""
    value = document.get(name) if isinstance(document, dict) else None
    if type(value) is not kind:
        raise malformed(where, f"the API's answer has no usable {name!r}")
    return value


def malformed(where: str, what: str) -> ChecksumMismatch:
    """Return the failure that an answer is which no such API gives."""
    return ChecksumMismatch(where, what, "look what answers there: a proxy, or a changed API")


def _body(response: Response, url: str, where: str) -> bytes:
    body, block = bytearray(), memoryview(bytearray(1 << 16))
    while got := response.readinto(block):
        body += block[:got]
        if len(body) > LIMIT:
            raise PolicyViolation(
                where, f"{safe_url(url)} answered more than {LIMIT} bytes", "ask whoever runs the API"
            )
    return bytes(body)
