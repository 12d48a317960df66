"""Open the object storage that a DVC remote names: a folder, or S3.

DVC itself cannot read back what it has sent, nor put a good copy in the place of a damaged one; so this speaks to the
storage itself, for whatever is sent, read back, looked for or mended.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from data_registry.git import Git
from data_registry.releases.lookup import folder_of
from data_registry.stage.errors import UsageError
from data_registry.store.dvc_config import Section, read_config
from data_registry.store.folder import FolderStore
from data_registry.store.protocol import Store
from data_registry.store.trust import check_server, folder_refused

KINDS = "use a remote that is a folder or s3://bucket"


def open_store(git: Git, revision: str, remote: str = "", source: str = "") -> Store:
    """Open a remote, or the default one, as DVC's configuration has it, with ``.dvc/config`` at a revision.

    ``source`` is the address of the repository where it is somebody else's: a remote in it is opened only as far as
    whoever runs this has named it. Raises UsageError for a remote that is unknown or unsupported, PolicyViolation.
    """
    here = folder_of(source) if source else None
    config = read_config(git, revision, (here or git.folder) if source else None)
    named, remote = bool(remote), (remote or config.core.get("remote", "")).lower()
    section = config.remotes.get(remote, {})
    if "url" not in section:
        known = ", ".join(sorted(config.remotes)) or "none is configured"
        raise UsageError("DVC_REMOTE", f"unknown remote {remote!r:.60}", f"use one of: {known}")
    kind = kind_of(remote, section)
    if kind == "s3":
        from data_registry.store.s3 import S3Store  # lazy, with what it imports: botocore is slow to
        from data_registry.store.s3_settings import resolve

        settings = resolve(remote, section, foreign=bool(source))
        return S3Store(remote, settings, bool(source) and check_server(remote, settings, source, named))
    if source and here is None:
        raise folder_refused(remote, source)
    parts = urlsplit(section["url"])
    return FolderStore(remote, Path(unquote(parts.path) if parts.scheme == "file" else section["url"]))


def kind_of(remote: str, section: Section) -> str:
    """Return ``s3`` or ``folder``. Raises UsageError for the others that DVC knows."""
    url = section["url"]
    try:
        scheme = urlsplit(url).scheme.lower() if "://" in url else ""
    except ValueError as error:
        raise UsageError(f"remote {remote}", f"invalid url {url!r:.100}: {error}", KINDS) from error
    if scheme not in {"", "file", "s3"}:
        raise UsageError(f"remote {remote}", f"unsupported remote scheme {scheme}", KINDS)
    if "\0" in url or not url:
        raise UsageError(f"remote {remote}", f"invalid url {url!r:.100}", KINDS)
    return "s3" if scheme == "s3" else "folder"
