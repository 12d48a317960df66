"""What a remote in S3 is opened with, resolved as DVC does: its own section first, then AWS_*, then the profile.

Profiles, SSO, assumed roles, credential processes, containers and instances are left to botocore.
"""

import contextlib
import dataclasses
import logging
import os
import posixpath
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from data_registry.stage.errors import SourceRefused, UsageError
from data_registry.store.dvc_config import Section

AWS = "s3.amazonaws.com"
CONNECT, STALL = 10, 60  # seconds
TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}  # as DVC reads them, in any case
UNSUPPORTED = ("version_aware", "worktree", "sse_customer_key", "sse_customer_algorithm")
HEADERS = {
    "sse": "x-amz-server-side-encryption",
    "sse_kms_key_id": "x-amz-server-side-encryption-aws-kms-key-id",
    "acl": "x-amz-acl",
    "grant_read": "x-amz-grant-read",
    "grant_read_acp": "x-amz-grant-read-acp",
    "grant_write_acp": "x-amz-grant-write-acp",
    "grant_full_control": "x-amz-grant-full-control",
}
FOREIGN = {"profile", "credentialpath", "configpath", "ssl_verify"}  # not taken from other people's repositories
LOGIN = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the remote's profile in .dvc/config.local"


@dataclasses.dataclass(frozen=True)
class Keys:
    """Credentials as minio takes them."""

    access_key: str
    secret_key: str = dataclasses.field(repr=False)
    session_token: str | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True)
class Fixed:
    """A provider of credentials that stay."""

    keys: Keys

    def retrieve(self) -> Keys:
        return self.keys


@dataclasses.dataclass(frozen=True)
class Renewed:
    """A provider of botocore's credentials, which it renews where they expire."""

    credentials: Any
    where: str

    def retrieve(self) -> Keys:
        with translated(self.where):
            frozen = self.credentials.get_frozen_credentials()
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)


@dataclasses.dataclass(frozen=True)
class S3Settings:
    """How a remote is reached; ``provider`` is None for anonymous requests, ``region`` empty where nobody says it."""

    bucket: str
    prefix: str  # of keys; empty, or with a slash at its end
    endpoint: str
    region: str
    provider: Fixed | Renewed | None
    has_own_keys: bool  # the credentials are those in the remote's section, and not of whoever runs this
    has_own_endpoint: bool  # likewise
    ca: str | bool | None
    style: str  # auto, path or virtual
    headers: dict[str, str]
    connect: float
    stall: float


def resolve(remote: str, section: Section, foreign: bool = False) -> S3Settings:
    """Return the settings of a remote by its section of DVC's configuration and the environment.

    Of a ``foreign`` configuration no file is read and no check switched off. Raises UsageError for what is invalid or
    unsupported, SourceRefused where credentials cannot be had.
    """
    where = f"remote {remote}"
    for name in UNSUPPORTED:
        if section.get(name, "").lower() not in {"", *FALSE}:
            raise UsageError(where, f"unsupported option {name}", "choose another remote, or remove it there")
    if foreign:
        section = {key: value for key, value in section.items() if key not in FOREIGN}
    parts = urlsplit(section["url"])
    if not parts.netloc or "@" in parts.netloc or parts.query or not section["url"].isprintable():
        raise UsageError(where, f"invalid url {section['url']!r:.100}", "write s3://bucket/prefix")
    with translated(where):
        session = _session(section)
        profile = session.get_scoped_config()
        region = _region(section, session)
        endpoint = _endpoint(where, section, session, profile)
        ca = _certificates(where, section, session)
        own = _own_keys(where, section)
        provider = None
        if not _flag(where, section, "allow_anonymous_login"):
            provider = own or _provider(where, section, session)
        nested = profile.get("s3") or {}
    return S3Settings(
        bucket=parts.netloc,
        prefix=posixpath.join(parts.path[1:], ""),  # as DVC: one slash at the end is as none, two are two
        endpoint=endpoint,
        region=region,
        provider=provider,
        has_own_keys=provider is not None and provider is own,
        has_own_endpoint=bool(section.get("endpointurl")),
        ca=ca,
        style=str(nested.get("addressing_style", "auto")) if isinstance(nested, dict) else "auto",
        headers={header: section[name] for name, header in HEADERS.items() if section.get(name)},
        connect=_seconds(where, section, "connect_timeout", CONNECT),
        stall=_seconds(where, section, "read_timeout", STALL),
    )


@contextlib.contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn what botocore raises into one line."""
    from botocore import exceptions  # lazy: it and its session take a third of a second to import

    try:
        yield
    except (exceptions.ProfileNotFound, exceptions.ConfigParseError, exceptions.ConfigNotFound) as error:
        raise UsageError(where, str(error), "correct AWS_PROFILE, ~/.aws/config or ~/.aws/credentials") from error
    except exceptions.PartialCredentialsError as error:
        raise UsageError(where, str(error), LOGIN) from error
    except exceptions.BotoCoreError as error:
        raise SourceRefused(where, f"no credentials: {error}", LOGIN) from error


def _session(section: Section) -> Any:
    """Return botocore's session, which reads the files that the environment or else the remote names."""
    from botocore.session import Session  # lazy, as above

    logging.getLogger("botocore").setLevel(logging.WARNING)  # it says where it finds credentials
    session = Session(profile=section.get("profile"))
    files = {
        "credentials_file": ("credentialpath", "AWS_SHARED_CREDENTIALS_FILE"),
        "config_file": ("configpath", "AWS_CONFIG_FILE"),
    }
    for variable, (key, name) in files.items():
        if section.get(key) and not os.environ.get(name):
            session.set_config_variable(variable, section[key])
    return session


def _region(section: Section, session: Any) -> str:
    known = section.get("region") or os.environ.get("AWS_REGION") or session.get_config_variable("region")
    return str(known or "")


def _endpoint(where: str, section: Section, session: Any, profile: dict[str, Any]) -> str:
    secure = "https" if _flag(where, section, "use_ssl", True) else "http"
    endpoint = section.get("endpointurl") or _configured(session, profile) or f"{secure}://{AWS}"
    try:
        parts = urlsplit(endpoint)
        fits = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
        fits = fits and parts.path.strip("/") == parts.query == "" and (parts.port or True) and endpoint.isprintable()
    except ValueError:
        fits = False
    if not fits:
        what = f"invalid endpoint {endpoint!r:.200}"
        raise UsageError(where, what, "write http(s)://host:port in AWS_ENDPOINT_URL, or endpointurl of the remote")
    return f"{parts.scheme}://{parts.netloc}"


def _configured(session: Any, profile: dict[str, Any]) -> str:
    """Return the endpoint that environment or profile name (AWS SDKs guide, service-specific endpoints)."""
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return ""
    for variable in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if os.environ.get(variable):
            return os.environ[variable]
    services = session.full_config.get("services", {}).get(profile.get("services"), {})
    own = services.get("s3", {}) if isinstance(services, dict) else {}
    return str((own.get("endpoint_url") if isinstance(own, dict) else "") or profile.get("endpoint_url") or "")


def _certificates(where: str, section: Section, session: Any) -> str | bool | None:
    given = section.get("ssl_verify", "")
    if given.lower() in FALSE:
        return False
    if given and given.lower() not in TRUE:
        return given
    bundle = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    return str(bundle) if bundle else None


def _own_keys(where: str, section: Section) -> Fixed | None:
    key, secret = section.get("access_key_id"), section.get("secret_access_key")
    if bool(key) != bool(secret):
        missing = "secret_access_key" if key else "access_key_id"
        raise UsageError(where, f"{missing} is not set", "set both in .dvc/config.local, or neither")
    return Fixed(Keys(key, secret, section.get("session_token"))) if key and secret else None


def _provider(where: str, section: Section, session: Any) -> Renewed | None:
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if bool(key) != bool(secret) and not section.get("profile"):
        missing = "AWS_SECRET_ACCESS_KEY" if key else "AWS_ACCESS_KEY_ID"
        raise UsageError(where, f"{missing} is not set", "set both, or neither")
    credentials = session.get_credentials()
    return Renewed(credentials, where) if credentials else None


def _flag(where: str, section: Section, name: str, default: bool = False) -> bool:
    value = section.get(name, "").lower()
    if value and value not in TRUE | FALSE:
        raise UsageError(where, f"{name}: expected true or false, got {value!r:.40}", "correct it in .dvc/config")
    return value in TRUE if value else default


def _seconds(where: str, section: Section, name: str, default: int) -> int:
    value = section.get(name, "")
    if value and not (value.isascii() and value.isdigit() and 0 < len(value) < 7 and int(value)):
        raise UsageError(where, f"{name}: expected seconds, got {value!r:.40}", "correct it in .dvc/config")
    return int(value) if value else default
