"""Where files can be had: the places that sources.csv names, and the mirror that is asked first."""

from pathlib import Path
from urllib.parse import urlsplit

from stage.addresses import trusted_origins
from stage.errors import InputMissing, PolicyViolation, UsageError
from stage.redaction import safe_url

from fetcher.addresses import web_address
from fetcher.body import Place
from fetcher.endpoints import GITHUB, HUB
from fetcher.local import LocalFile, source_path
from fetcher.s3 import S3File, s3_endpoint
from fetcher.watch import Watch
from fetcher.web import Network, WebFile


def place(url: str, folder: Path, network: Network, where: str) -> Place:
    """Return the place that a URL in a sources.csv in ``folder`` means; raise PolicyViolation if it may not be used."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise PolicyViolation(where, f"not a valid URL: {error}", "correct the URL") from error
    if scheme == "file":
        return LocalFile(source_path(url, folder, where), where)
    return S3File(url, network, where) if scheme == "s3" else WebFile(url, network, where)


class Mirror:
    """A folder, or an http, https or s3 prefix, that holds files named by their SHA-256."""

    def __init__(self, prefix: str, network: Network) -> None:
        self._prefix, self._network = prefix.rstrip("/") or "/", network
        self.down = False  # set once it failed, so that a large set waits for it only once
        self._remote = urlsplit(prefix).scheme in {"http", "https", "s3"}
        if "://" in prefix and not self._remote:
            raise UsageError(
                "FETCH_MIRROR", f"scheme of {safe_url(prefix)} is not allowed", "name a folder, http(s) or s3 prefix"
            )
        if not self._remote and not Path(prefix).is_dir():
            raise InputMissing(prefix, "the mirror's folder does not exist", "correct or unset FETCH_MIRROR")

    def place(self, sha256: str) -> Place:
        """Return where the mirror has the file with this SHA-256, if it has it."""
        where = f"mirror {safe_url(self._prefix)}"
        if self._remote:
            return place(f"{self._prefix}/{sha256}", Path(), self._network, where)
        return LocalFile(Path(self._prefix, sha256).absolute(), where)


def network(trust: tuple[str, ...], mirror: str | None, timeout: float, watch: Watch) -> Network:
    """Return the network as this run may use it: public, and what the user's own variables name."""
    trusted, tokens = trusted_origins(trust), {}
    for named, where in ((mirror or "", "FETCH_MIRROR"), (s3_endpoint(), "AWS_ENDPOINT_URL")):
        if urlsplit(named).scheme in {"http", "https"}:
            trusted |= {web_address(named, where).origin}
    for service in (HUB, GITHUB):
        address = web_address(service.url(), service.variable)
        if service.is_named():
            trusted |= {address.origin}
        if token := service.token():
            tokens[f"{address.scheme}://{address.origin}"] = token
    return Network(trusted, timeout, watch, tokens)
