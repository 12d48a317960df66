"""Get a release into a folder, and verify one where it is stored."""

import os
from collections.abc import Callable
from pathlib import Path

from data_registry.releases.lookup import open_release
from data_registry.releases.release import Release
from data_registry.stage.errors import VerificationFailed
from data_registry.store import get as downloading
from data_registry.store import verify as verifying
from data_registry.store.get import Got
from data_registry.store.protocol import Store
from data_registry.store.remote import open_store


def get(
    name: str,
    version: str,
    out: str | os.PathLike[str],
    *,
    repo: str | os.PathLike[str] | None = None,
    remote: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Got:
    """Download a release into a folder, every byte verified; what is there already is not downloaded again.

    Args:
        name: the dataset, as for ``load``.
        version: as for ``load``.
        out: the folder; made where it does not exist. Files in it that are not of the dataset are not replaced.
        repo: as for ``load``.
        remote: as for ``load``.
        progress: called with the number of bytes since its last call.

    Returns:
        The release's tag, the folder, and the numbers of files and of those that were downloaded now.

    Raises:
        UsageError: unknown dataset or version, or the folder has files that are not of the dataset.
        VerificationFailed: the release is damaged, or an object of it is missing.
        NetworkFailed: the repository or the remote cannot be reached; run it again, it resumes.

    Example:
        >>> get("emotion", "1.1.0", "emotion").tag
        'emotion-v1.1.0'

    """
    with open_release(name, version, repo) as release:
        return downloading.get(release, _store(release, remote), Path(out), progress)


def verify(
    name: str,
    version: str,
    *,
    repo: str | os.PathLike[str] | None = None,
    remote: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Read a release back from its remote, every byte, and compare it with its tag.

    Args:
        name: the dataset, as for ``load``.
        version: as for ``load``.
        repo: as for ``load``.
        remote: as for ``load``.
        progress: called with the number of bytes since its last call.

    Raises:
        VerificationFailed: an object is missing or damaged, or the tag has changed; the message says the first.
        UsageError: unknown dataset or version.
        NetworkFailed: the repository or the remote cannot be reached.

    Example:
        >>> verify("emotion", "1.1.0")

    """
    with open_release(name, version, repo) as release:
        problems = verifying.verify(release, _store(release, remote), progress)
    if problems:
        first, more = problems[0], f" ({len(problems)} problems in all)" if len(problems) > 1 else ""
        raise VerificationFailed(first.where, first.what + more, first.fix)


def _store(release: Release, remote: str | None) -> Store:
    remote = remote or os.environ.get("DVC_REMOTE", "")
    return open_store(release.git, f"refs/tags/{release.tag}", remote, release.source)
