"""Push a dataset's data to a remote and pull it back, and make sure of every object.

DVC takes a directory that is on the remote for complete, and a read-only file in its cache for right; so a lost
object is never sent again, and a damaged one is passed on. Here every object is hashed before it is sent and after it
has come, and looked for on the remote by name and size.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stage.errors import ChecksumMismatch, InputMissing, NetworkFailed, PushFailed, StageError, VerificationFailed

from registry.datasets import Dataset
from registry.pipeline import dvc_repository

if TYPE_CHECKING:
    from dvc.repo import Repo

log = logging.getLogger(__name__)

PARALLEL = 16  # requests at a time


@dataclasses.dataclass(frozen=True)
class Object:
    """A piece of content in DVC's cache: a file, or the list of a folder's files."""

    md5: str  # ends in .dir for a list
    name: str  # whose content it is, relative to the repository
    cached: Path

    def is_whole(self) -> bool:
        """Say whether the cache has it, unharmed."""
        if not self.cached.is_file():
            return False
        with self.cached.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest() == self.md5.removesuffix(".dir")


@dataclasses.dataclass(frozen=True)
class Transfer:
    """What was sent or fetched."""

    dataset: str
    remote: str
    objects: int
    moved: int


def push(dataset: Dataset, root: Path, remote: str) -> Transfer:
    """Send what the remote lacks of a dataset, and see that it then has every object in full size.

    Raises InputMissing or ChecksumMismatch where the cache lacks an object or has it damaged, PushFailed where the
    remote does not take it.
    """
    with dvc_repository(root) as repo:
        objects = list(_objects(repo, dataset))
        for each in objects:
            if not each.cached.exists():
                raise InputMissing(each.name, "not in the cache", f"make dataset DS={dataset.name}, or make pull")
            if not each.is_whole():
                raise ChecksumMismatch(each.name, f"damaged in the cache ({each.cached})", "delete it and build again")
        with _failing_as(PushFailed, remote):
            store = repo.cloud.get_remote_odb(remote)
            lacking = _lacking(store, objects)
            repo.push(targets=[str(dataset.pipeline)], remote=remote)
            for each in _lacking(store, objects):  # DVC does not look into folders that it has sent before
                log.warning("%s was missing or cut on %s: sent again", each.name, remote)
                store.fs.put_file(str(each.cached), store.oid_to_path(each.md5))
            if left := _lacking(store, objects):
                raise PushFailed(left[0].name, f"still not on {remote}", "look at the remote, then run it again")
        return Transfer(dataset.name, remote, len(objects), len(lacking))


def pull(dataset: Dataset, root: Path, remote: str) -> Transfer:
    """Fetch a dataset's data, put it in place, and hash every byte of it.

    Raises NetworkFailed where the remote does not give it, VerificationFailed where it gives other bytes.
    """
    with dvc_repository(root) as repo:
        before = list(_objects(repo, dataset))
        here = {each.md5 for each in before if each.is_whole()}
        for each in before:
            if each.md5 not in here:
                each.cached.unlink(missing_ok=True)  # DVC would keep what is damaged
        with _failing_as(NetworkFailed, remote):
            repo.pull(targets=[str(dataset.pipeline)], remote=remote, force=True)
        objects = list(_objects(repo, dataset))
        for each in objects:
            if not each.is_whole():
                each.cached.unlink(missing_ok=True)
                raise VerificationFailed(each.name, f"{remote} has other bytes than {each.md5}", "push it again")
        return Transfer(dataset.name, remote, len(objects), sum(each.md5 not in here for each in objects))


@contextlib.contextmanager
def _failing_as(kind: type[StageError], remote: str) -> Iterator[None]:
    """Turn what DVC and its storage libraries raise into one line."""
    from botocore.exceptions import BotoCoreError, ClientError
    from dvc.exceptions import DvcException

    try:
        yield
    except (DvcException, BotoCoreError, ClientError, OSError) as error:
        cause: BaseException = error
        while cause.__cause__:
            cause = cause.__cause__
        raise kind(
            f"remote {remote}", str(cause) or str(error), "check its address and AWS_*, and that it is up"
        ) from error


def _objects(repo: "Repo", dataset: Dataset) -> Iterator[Object]:
    """Yield the objects of a dataset's outputs; of a folder that is not in the cache, its list alone."""
    cache = repo.cache.local
    for out in repo.index.outs:
        if Path(out.stage.path) != dataset.pipeline or not out.use_cache:
            continue
        if not out.hash_info:
            raise InputMissing(dataset.folder / "dvc.lock", f"has no {out.def_path}", f"make dataset DS={dataset.name}")
        name = os.path.relpath(out.fs_path, repo.root_dir)
        whole = Object(out.hash_info.value, name, Path(cache.oid_to_path(out.hash_info.value)))
        yield whole
        if whole.md5.endswith(".dir") and whole.is_whole():
            for entry in json.loads(whole.cached.read_text(encoding="utf-8")):
                yield Object(entry["md5"], f"{name}/{entry['relpath']}", Path(cache.oid_to_path(entry["md5"])))


def _lacking(store: Any, objects: list[Object]) -> list[Object]:
    """Return the objects that the remote does not have, or has in another size."""

    def lacks(each: Object) -> bool:
        try:
            return bool(store.fs.info(store.oid_to_path(each.md5))["size"] != each.cached.stat().st_size)
        except FileNotFoundError:
            return True

    with ThreadPoolExecutor(PARALLEL) as pool:
        return [each for each, gone in zip(objects, pool.map(lacks, objects), strict=True) if gone]
