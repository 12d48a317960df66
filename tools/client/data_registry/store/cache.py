"""Objects of a release as files on this machine: in DVC's cache, or fetched into the user's, and verified."""

import os
from pathlib import Path

from data_registry.releases.release import Release
from data_registry.stage.errors import VerificationFailed
from data_registry.stage.foreign import read_bytes
from data_registry.stage.output import replacing
from data_registry.store.objects import LIST, Item, copy_object, has_bytes, list_limit, parse_list
from data_registry.store.parallel import in_parallel
from data_registry.store.protocol import CACHE, object_path
from data_registry.store.remote import open_store


def user_cache() -> Path:
    """Return the folder for what can be fetched again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "data-registry"


def obtain(release: Release, md5: str, target: Path, remote: str = "", limit: int | None = None) -> Path:
    """Return a file that has the bytes of an object: in DVC's cache, or ``target``, fetched unless it has them.

    The object has at most ``limit`` bytes.

    Raises Absent, NetworkFailed, SourceRefused or ChecksumMismatch.
    """
    for path in (release.git.folder / CACHE / object_path(md5), target):
        if has_bytes(path, md5):
            return path
    store = open_store(release.git, release.commit or f"refs/tags/{release.tag}", remote, release.source)
    with replacing(target) as (temporary,), temporary.open("wb") as file:
        copy_object(store, md5, file.write, limit=limit)
    return target


def fetch_files(release: Release, files: list[str], remote: str) -> dict[str, Path]:
    """Return where files of a release are, and what lies beside an ``annotations.json``, by path in its folder.

    Raises VerificationFailed for a file that is no output of the release, and what fetching an object raises.
    """
    folder = user_cache() / release.tag
    items: list[Item] = []
    for output in release.outputs:
        if not output.is_folder and output.path in files:
            items.append(Item(output.path, output.md5, limit=output.size))
        if output.is_folder and any(file.startswith(f"{output.path}/") for file in files):
            cached = obtain(release, output.md5, folder / ".lists" / output.md5, remote, list_limit(output))
            listed = parse_list(output.path, read_bytes(cached, LIST), output.size)
            items += [item for item in listed if _belongs(item.path, files)]
    if missing := set(files) - {item.path for item in items}:
        what = f"its manifest names {min(missing)}, which is not an output"
        raise VerificationFailed(release.tag, what, "release it again under another version")
    paths = in_parallel(lambda item: obtain(release, item.md5, folder / item.path, remote, item.limit), items)
    return dict(zip((item.path for item in items), paths, strict=True))


def _belongs(path: str, files: list[str]) -> bool:
    folders = [file.rpartition("/")[0] for file in files if file.endswith("/annotations.json")]
    return path in files or any(path.startswith(f"{folder}/") for folder in folders)
