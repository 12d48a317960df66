"""Where files are downloaded from: the URLs in sources.csv, and the mirror that is tried first."""

from pathlib import Path
from urllib.parse import urlsplit

from stage.addresses import trusted_origins
from stage.errors import InputMissing, PolicyViolation, UsageError
from stage.redaction import safe_url

from fetcher.addresses import parse_url
from fetcher.api import GITHUB, HUB
from fetcher.download import Location
from fetcher.local import LocalFile, source_path, stored_file
from fetcher.s3 import S3File, s3_endpoint
from fetcher.watchdog import Watchdog
from fetcher.web import Network, WebFile


def locate(url: str, folder: Path, network: Network, where: str) -> Location:
    """Return the location of a URL in a sources.csv in ``folder``; raise PolicyViolation if it may not be used."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise PolicyViolation(where, f"invalid URL: {error}", "correct the URL") from error
    if scheme == "file":
        return LocalFile(source_path(url, folder, where), where)
    if scheme == "registry":
        return stored_file(url, folder, where)
    return S3File(url, network, where) if scheme == "s3" else WebFile(url, network, where)


class Mirror:
    """A folder, or an http, https or s3 prefix, that holds files named by their SHA-256."""

    def __init__(self, prefix: str, network: Network) -> None:
        self._prefix, self._network = prefix.rstrip("/") or "/", network
        self.down = False  # set at its first network failure, so that a large set waits for it only once
        self._remote = urlsplit(prefix).scheme in {"http", "https", "s3"}
        if "://" in prefix and not self._remote:
            fix = "use a folder, or an http(s) or s3 prefix"
            raise UsageError("FETCH_MIRROR", f"unsupported URL scheme: {safe_url(prefix)}", fix)
        if not self._remote and not Path(prefix).is_dir():
            raise InputMissing(prefix, "mirror folder not found", "correct or unset FETCH_MIRROR")

    def locate(self, sha256: str) -> Location:
        """Return where the file with this SHA-256 would be."""
        where = f"mirror {safe_url(self._prefix)}"
        if self._remote:
            return locate(f"{self._prefix}/{sha256}", Path(), self._network, where)
        return LocalFile(Path(self._prefix, sha256).absolute(), where)


def configured_network(trust: tuple[str, ...], mirror: str | None, timeout: float, watchdog: Watchdog) -> Network:
    """Return the network that this run may use: public addresses, and those in the user's own variables."""
    trusted, tokens = trusted_origins(trust), {}
    for url, where in ((mirror or "", "FETCH_MIRROR"), (s3_endpoint(), "AWS_ENDPOINT_URL")):
        if urlsplit(url).scheme in {"http", "https"}:
            trusted |= {parse_url(url, where).origin}
    for service in (HUB, GITHUB):
        address = parse_url(service.url(), service.variable)
        if service.is_configured():
            trusted |= {address.origin}
        if token := service.token():
            tokens[f"{address.scheme}://{address.origin}"] = token
    return Network(trusted, timeout, watchdog, tokens)
