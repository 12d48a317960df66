"""The APIs of the Hugging Face Hub and of GitHub: their addresses and tokens, and requests with all pages of a list."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

from stage.errors import ChecksumMismatch, CorruptFile, PolicyViolation, UsageError
from stage.foreign import read_json
from stage.redaction import safe_url

from fetcher.addresses import parse_url
from fetcher.failures import Limits, with_retries
from fetcher.http import Response
from fetcher.web import Network, WebFile

T = TypeVar("T")
MAX_BYTES = 64 << 20  # of one response: a page of a list has less than 1 MiB
MAX_PAGES = 2000
RETRY = "check the network and run again"
OPERATOR = "contact the operator of the API"
LINK = re.compile(r"<([^>]*)>([^<]*)")  # RFC 8288: <target>; parameters


@dataclass(frozen=True)
class Service:
    """A service with an API: the variable for its address, the default address, and the variable for its token."""

    variable: str
    default: str
    token_variable: str

    def url(self) -> str:
        """Return its address; raise UsageError if the variable holds an invalid one."""
        url = os.environ.get(self.variable) or self.default
        try:
            parts = urlsplit(url)
            valid = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or True)
        except ValueError:
            valid = False
        if not valid or set("@?# ") & set(url):
            raise UsageError(self.variable, "expected an http or https URL", "write https://host")
        return url.rstrip("/")

    def is_configured(self) -> bool:
        """Say whether its address is set in the environment."""
        return bool(os.environ.get(self.variable))

    def token(self) -> str | None:
        """Return its token; raise UsageError, without showing it, for one that is invalid."""
        token = os.environ.get(self.token_variable, "").strip()
        if not (token.isascii() and token.isprintable()) or " " in token:
            what = "invalid token: contains a space or a special character"
            raise UsageError(self.token_variable, what, "set it again, without quotes")
        return token or None


HUB = Service("HF_ENDPOINT", "https://huggingface.co", "HF_TOKEN")
GITHUB = Service("GITHUB_API_URL", "https://api.github.com", "GITHUB_TOKEN")


class Api:
    """The API of a service."""

    def __init__(self, service: Service, network: Network, limits: Limits, headers: Mapping[str, str]) -> None:
        self.url = service.url()
        self._service, self._network, self._limits, self._headers = service, network, limits, headers

    def get(self, target: str, where: str) -> Any:
        """Return the JSON response to one request; ``target`` is path and query."""
        return self._request(self.url + target, where)[0]

    def pages(self, target: str, where: str) -> Iterator[Any]:
        """Yield the items of all pages of a list, linked by their Link headers."""
        url: str | None = self.url + target
        seen: set[str] = set()
        while url:
            if url in seen or len(seen) == MAX_PAGES:
                raise PolicyViolation(where, f"pages without end at {safe_url(url)}", OPERATOR)
            seen.add(url)
            items, next_url = self._request(url, where)
            if not isinstance(items, list):
                raise unexpected(where, f"expected a list from {safe_url(url)}")
            yield from items
            url = next_url

    def _request(self, url: str, where: str) -> tuple[Any, str | None]:
        """Return a response, and the URL of its next page."""

        def attempt() -> tuple[bytes, str]:
            response = WebFile(url, self._network, where, self._headers).open(None)
            try:
                return read_response(response, url, where), response.header("Link") or ""
            finally:
                response.close()

        body, links = with_retries(attempt, self._limits, where, RETRY)
        try:
            return read_json(body, where, limit=MAX_BYTES), self._next(url, links, where)
        except (ValueError, CorruptFile) as error:
            raise unexpected(where, f"expected JSON from {safe_url(url)}") from error

    def _next(self, url: str, links: str, where: str) -> str | None:
        for target, parameters in LINK.findall(links):
            if re.search(r';\s*rel="?next"?', parameters):
                next_url: str = urljoin(url, target)
                here, there = parse_url(url, where), parse_url(next_url, where)
                if (here.scheme, here.origin) != (there.scheme, there.origin):
                    what = f"the next page of {safe_url(url)} is on another host, {there.origin}"
                    raise PolicyViolation(where, what, f"to allow it, set {self._service.variable} to that host")
                return next_url
        return None


def field(document: Any, name: str, kind: type[T], where: str) -> T:
    """Return a member of a JSON object; raise ChecksumMismatch unless it has that type."""
    value = document.get(name) if isinstance(document, dict) else None
    if type(value) is not kind:
        raise unexpected(where, f"invalid {name!r} in the API's response")
    return value


def unexpected(where: str, what: str) -> ChecksumMismatch:
    """Return the error for a response that these APIs never send."""
    return ChecksumMismatch(where, what, "check what responds there: a proxy, or a changed API")


def read_response(response: Response, url: str, where: str) -> bytes:
    """Return the body of a response of at most ``MAX_BYTES``; raise PolicyViolation for a larger one."""
    body, block = bytearray(), memoryview(bytearray(1 << 16))
    while size := response.readinto(block):
        body += block[:size]
        if len(body) > MAX_BYTES:
            raise PolicyViolation(where, f"more than {MAX_BYTES} bytes from {safe_url(url)}", OPERATOR)
    return bytes(body)
