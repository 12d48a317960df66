"""The services whose APIs tell what upstream holds: where they are, and the tokens that go to them alone."""

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from stage.errors import UsageError


@dataclass(frozen=True)
class Service:
    """A service: the variable that names its address, the address without it, and the variable of its token."""

    variable: str
    public: str
    secret: str

    def url(self) -> str:
        """Return its address; raise UsageError if the variable holds none."""
        url = os.environ.get(self.variable) or self.public
        try:
            parts = urlsplit(url)
            usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or True)
        except ValueError:
            usable = False
        if not usable or set("@?# ") & set(url):
            raise UsageError(self.variable, "not an http or https URL", "write https://host, without user or query")
        return url.rstrip("/")

    def is_named(self) -> bool:
        """Say whether the person at the keyboard named its address."""
        return bool(os.environ.get(self.variable))

    def token(self) -> str | None:
        """Return its token; raise UsageError, without telling it, for what cannot be one."""
        token = os.environ.get(self.secret, "").strip()
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise UsageError(self.secret, "holds a character that no token has", "set it anew, without quotes")
        return token or None


HUB = Service("HF_ENDPOINT", "https://huggingface.co", "HF_TOKEN")
GITHUB = Service("GITHUB_API_URL", "https://api.github.com", "GITHUB_TOKEN")
