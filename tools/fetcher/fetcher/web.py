"""Files on the web: redirects are checked at every hop, and downloads resume only the same version of a file."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urljoin

from stage.errors import PolicyViolation
from stage.redaction import safe_url

from fetcher.addresses import parse_url, resolve_host
from fetcher.download import Resume
from fetcher.http import Response, status_error
from fetcher.watchdog import Watchdog

MAX_REDIRECTS = 5
REDIRECTS = {301, 302, 303, 307, 308}
RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
DATE = re.compile(r"[ -~]{1,100}")
PRINTABLE = "".join(chr(code) for code in range(33, 127))


@dataclass(frozen=True)
class Network:
    """How this run uses the network: the private addresses it trusts, and the seconds one download may take.

    ``tokens`` has those of services by scheme://host:port; none is ever sent elsewhere, even after a redirect.
    """

    trusted: frozenset[str]
    timeout: float
    watchdog: Watchdog
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)

    def get(self, url: str, headers: Mapping[str, str], where: str) -> Response:
        """Send one GET to a checked address; do not follow redirects."""
        address = parse_url(url, where)
        ips = resolve_host(address, self.trusted, where)
        if token := self.tokens.get(f"{address.scheme}://{address.origin}"):
            headers = {**headers, "Authorization": f"Bearer {token}"}
        return Response(address, ips, headers, self.watchdog, self.timeout, where)


class WebFile:
    """A file at an http or https URL."""

    def __init__(self, url: str, network: Network, where: str, headers: Mapping[str, str] | None = None) -> None:
        parse_url(url, where)
        self.url, self._network, self._where, self._headers = url, network, where, headers or {}

    def open(self, resume: Resume | None) -> Response:
        """Open the file, at the point to resume if the server still has the same version of it."""
        return open_resumed(resume, self._follow, "If-Range", self.url, self._where)

    def _follow(self, headers: Mapping[str, str]) -> Response:
        url, seen = self.url, {self.url}
        for _ in range(MAX_REDIRECTS + 1):
            response = self._network.get(url, {**self._headers, **headers}, self._where)
            location = response.header("Location")
            if response.status not in REDIRECTS or not location:
                return response
            response.close()
            # http.client hands headers over as Latin-1
            target = self._joined(url, quote(location.encode("latin-1", "replace"), safe=PRINTABLE))
            self._check_redirect(url, target, seen)
            seen.add(target)
            url = target
        raise self._refused(f"{safe_url(self.url)} redirects more than {MAX_REDIRECTS} times")

    def _joined(self, url: str, location: str) -> str:
        try:
            return urljoin(url, location)
        except ValueError as error:
            raise self._refused(f"{safe_url(url)} redirects to an invalid URL: {error}") from error

    def _check_redirect(self, url: str, target: str, seen: set[str]) -> None:
        schemes = parse_url(url, self._where).scheme, parse_url(target, self._where).scheme
        if schemes == ("https", "http"):
            raise self._refused(f"{safe_url(url)} redirects from https to http: {safe_url(target)}")
        if target in seen:
            raise self._refused(f"{safe_url(self.url)} redirects in a loop")

    def _refused(self, what: str) -> PolicyViolation:
        return PolicyViolation(self._where, what, "use the file's final URL in sources.csv")


def open_resumed(
    resume: Resume | None, request: Callable[[Mapping[str, str]], Response], condition: str, url: str, where: str
) -> Response:
    """Open a file at the point to resume, or at its first byte if it may be another version.

    ``condition`` is the header that ties a range to a version: If-Range, or If-Match if the server knows no other.
    """
    response = request({"Range": f"bytes={resume.size}-", condition: resume.validator} if resume else {})
    if resume and response.status == 206 and _continues(response, resume):
        response.start, response.total = resume.size, int(_range(response)[2])
    elif resume and response.status in {206, 412, 416}:
        response.close()
        return open_resumed(None, request, condition, url, where)
    elif response.status != 200:
        raise status_error(response, url, where)
    response.validator = _validator(response, condition)
    return response


def _continues(response: Response, resume: Resume) -> bool:
    try:
        first, last, total = _range(response)
    except ValueError:
        return False
    etag = response.header("ETag")
    same = etag in {None, resume.validator} or not resume.validator.startswith('"')
    length = response.total in {None, last - first + 1}
    return first == resume.size and last == total - 1 and total == (resume.total or total) and same and length


def _range(response: Response) -> tuple[int, int, int]:
    match = RANGE.fullmatch(response.header("Content-Range") or "")
    if not match:
        raise ValueError("no usable Content-Range")
    first, last, total = match.groups()
    return int(first), int(last), int(total)


def _validator(response: Response, condition: str) -> str | None:
    """Return what identifies this version byte for byte: a strong ETag (RFC 9110, 8.8.3), else a date for If-Range."""
    etag = response.header("ETag")
    if etag:
        return etag if ETAG.fullmatch(etag) else None
    date = response.header("Last-Modified") or ""
    return date if condition == "If-Range" and DATE.fullmatch(date) else None
