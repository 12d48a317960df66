"""What a repository of other people may make this machine do: nothing that whoever runs this has not named.

Its ``.dvc/config`` says where its data is. The credentials here go to that server only if it is known; a private
address is asked only if it was named; a folder is read only if the repository itself is on this machine.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from data_registry.clone import NAMES, repository, variables_of
from data_registry.git import Git
from data_registry.stage.addresses import PORTS, trusted_origins
from data_registry.stage.errors import PolicyViolation, StageError
from data_registry.stage.redaction import safe_url
from data_registry.store.dvc_config import read_config
from data_registry.store.s3_settings import S3Settings

ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
AWS = (".amazonaws.com", ".amazonaws.com.cn")


def check_server(remote: str, settings: S3Settings, source: str, named: bool) -> bool:
    """Raise PolicyViolation where credentials would go to a server that only ``source`` names.

    ``named`` is whether the remote was chosen by name. Return whether its address must be a public one.
    """
    root = _clone()
    origin = _origin(settings.endpoint)
    if not settings.has_own_endpoint or _is_aws(settings.endpoint) or origin in set(_known(root)):
        return False
    if named and not _is_of_env(root, remote):
        return False
    if settings.provider is not None and not settings.has_own_keys:
        what = f"your credentials would be sent to {origin}, which {safe_url(source)} names"
        fix = f"set AWS_ENDPOINT_URL={settings.endpoint}, or DVC_REMOTE={remote}, if you trust it"
        raise PolicyViolation(f"remote {remote}", what, fix)
    return origin not in trusted_origins(filter(None, os.environ.get("FETCH_TRUST", "").split(",")))


def folder_refused(remote: str, source: str) -> PolicyViolation:
    """Return the failure that a repository elsewhere names a folder of this machine."""
    what = f"is a folder, and {safe_url(source)} is not on this machine"
    return PolicyViolation(f"remote {remote}", what, "set DVC_REMOTE to a remote in S3, or clone it")


def _known(root: Path | None) -> Iterator[str]:
    """Yield the servers that the environment and the clone around name."""
    named = [os.environ.get(name, "") for name in ENDPOINTS]
    if root:
        named += [variables_of(root, name).get(ENDPOINTS[0], "") for name in NAMES]
        with contextlib.suppress(StageError):  # one that cannot be read names nothing
            remotes = read_config(Git(root), "HEAD").remotes.values()
            named += [section.get("endpointurl", "") for section in remotes]
    yield from (_origin(endpoint) for endpoint in named if endpoint)


def _origin(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        return f"{parts.hostname}:{parts.port or PORTS.get(parts.scheme)}"
    except ValueError:
        return ""


def _is_aws(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    return parts.scheme == "https" and f".{parts.hostname}".endswith(AWS)


def _is_of_env(root: Path | None, remote: str) -> bool:
    """Say whether ENV has chosen the remote: in other people's repositories the name may mean anything."""
    env = os.environ.get("ENV", "")
    return root is not None and env in NAMES and variables_of(root, env).get("DVC_REMOTE") == remote


def _clone() -> Path | None:
    try:
        return repository()
    except FileNotFoundError:
        return None
