"""Push a dataset's data to a remote and pull it back, and make sure of every object.

DVC takes a directory that is on the remote for complete, and a read-only file in its cache for right; so a lost
object is never sent again, and a damaged one is passed on. Here every object is hashed before it is sent and after it
has come, and looked for on the remote by name and size; DVC's storage sends it, and reads it back (verify = true).
"""

import contextlib
import dataclasses
import hashlib
import itertools
import json
import logging
import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stage.errors import ChecksumMismatch, InputMissing, NetworkFailed, PushFailed, StageError, VerificationFailed
from stage.progress import progress

from registry.building.pipeline import dvc_repository
from registry.datasets import Dataset
from registry.storage.objects import Meter

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

    @property
    def is_list(self) -> bool:
        return self.md5.endswith(".dir")

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
        objects = list({each.md5: each for each in _objects(repo, dataset)}.values())
        for each in objects:
            if not each.cached.exists():
                raise InputMissing(each.name, "not in the cache", f"make dataset DS={dataset.name}, or make pull")
            if not each.is_whole():
                raise ChecksumMismatch(each.name, f"damaged in the cache ({each.cached})", "delete it and build again")
        with _failing_as(PushFailed, remote):
            store = repo.cloud.get_remote_odb(remote)
            lacking = _lacking(store, objects)
            size = sum(each.cached.stat().st_size for each in lacking)
            with progress(f"sending {dataset.name} to {remote}", size, "bytes") as advance:
                for lists in (False, True):  # last, for a list says that its files are there
                    _send(store, repo.cache.local.fs, [each for each in lacking if each.is_list == lists], advance)
            if left := _lacking(store, lacking):
                raise PushFailed(left[0].name, f"still not on {remote}", "look at the remote, then run it again")
        return Transfer(dataset.name, remote, len(objects), len(lacking))


def pull(dataset: Dataset, root: Path, remote: str, stages: Collection[str] = ()) -> Transfer:
    """Fetch a dataset's data, or what some of its stages have made, put it in place, and hash every byte of it.

    Raises NetworkFailed where the remote does not give it, VerificationFailed where it gives other bytes.
    """
    with dvc_repository(root) as repo:
        before = list(_objects(repo, dataset, stages))
        lacking = [each for each in before if not each.is_whole()]
        with _failing_as(NetworkFailed, remote):
            store = repo.cloud.get_remote_odb(remote)
            if lacking:
                store.fs.exists(store.path)  # raises what is wrong with address or secret; DVC counts files
            before += [file for each in lacking for file in _listed_there(store, repo.cache.local, each)]
            here = {each.md5 for each in before if each.is_whole()}
            for each in before:
                if each.md5 not in here:
                    each.cached.unlink(missing_ok=True)  # DVC would keep what is damaged
            if len(here) < len({each.md5 for each in before}):
                log.info("%s: fetching what is not here from %s", dataset.name, remote)
            failure = _dvc_pull(repo, dataset, remote, stages)
            objects = list({each.md5: each for each in _objects(repo, dataset, stages)}.values())
            with progress(f"verifying {dataset.name}", len(objects), "objects") as advance:
                for each in objects:  # whether DVC is content or not
                    if not each.is_whole():
                        each.cached.unlink(missing_ok=True)
                        raise _why(store, repo.cache.local, each, remote)
                    advance(1)
            if failure:
                raise failure
        return Transfer(dataset.name, remote, len(objects), sum(each.md5 not in here for each in objects))


def _dvc_pull(repo: "Repo", dataset: Dataset, remote: str, stages: Collection[str]) -> Exception | None:
    targets = [f"{dataset.pipeline}:{stage}" for stage in sorted(stages)] or [str(dataset.pipeline)]
    try:
        repo.pull(targets=targets, remote=remote, force=True)
    except _errors() as error:
        return error
    return None


def _why(store: Any, cache: Any, lost: Object, remote: str) -> StageError:
    """Return what to say of an object that has not come whole, after a look at the remote."""
    try:
        with store.fs.open(store.oid_to_path(lost.md5), "rb") as file:
            found = hashlib.file_digest(file, "md5").hexdigest()
    except FileNotFoundError:
        return NetworkFailed(lost.name, f"not on {remote}", "make push where it was built")
    for each in _listed_there(store, cache, lost):  # DVC keeps no list one of whose files has not come
        if not each.is_whole():
            return _why(store, cache, each, remote)
    if found == lost.md5.removesuffix(".dir"):
        return NetworkFailed(lost.name, f"has not come whole from {remote}", "run it again")
    return VerificationFailed(
        lost.name, f"{remote} has other bytes than {lost.md5}", "delete that object there, then make push a good copy"
    )


@contextlib.contextmanager
def _failing_as(kind: type[StageError], remote: str) -> Iterator[None]:
    """Turn what DVC and its storage libraries raise into one line."""
    if not log.isEnabledFor(logging.DEBUG):  # their tracebacks: the closing line says what is wrong
        for name in ("dvc_data", "dvc_objects"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    except _errors() as error:
        cause: BaseException = error
        while cause.__cause__:
            cause = cause.__cause__
        raise kind(
            f"remote {remote}", str(cause) or str(error), "check its address and AWS_*, and that it is up"
        ) from error


def _errors() -> tuple[type[Exception], ...]:
    """Return what DVC and its storage libraries raise; not imported before DVC has its settings."""
    from botocore.exceptions import BotoCoreError, ClientError
    from dvc.exceptions import DvcException
    from dvc.output import ObjectFormatError

    return DvcException, ObjectFormatError, BotoCoreError, ClientError, OSError


def _objects(repo: "Repo", dataset: Dataset, stages: Collection[str] = ()) -> Iterator[Object]:
    """Yield the objects of the outputs of a dataset, or some stages; of a folder not in the cache, its list alone."""
    cache = repo.cache.local
    for out in repo.index.outs:
        if Path(out.stage.path) != dataset.pipeline or not out.use_cache or (stages and out.stage.name not in stages):
            continue
        if not out.hash_info:
            raise InputMissing(dataset.folder / "dvc.lock", f"has no {out.def_path}", f"make dataset DS={dataset.name}")
        name = os.path.relpath(out.fs_path, repo.root_dir)
        whole = Object(out.hash_info.value, name, Path(cache.oid_to_path(out.hash_info.value)))
        yield whole
        if whole.is_list and whole.is_whole():
            yield from _listed(whole, whole.cached.read_bytes(), cache)


def _listed_there(store: Any, cache: Any, folder: Object) -> list[Object]:
    """Return the files of a folder whose list the remote has unharmed."""
    if not folder.is_list:
        return []
    try:
        content = store.fs.cat_file(store.oid_to_path(folder.md5))
    except FileNotFoundError:
        return []
    is_whole = hashlib.md5(content, usedforsecurity=False).hexdigest() == folder.md5.removesuffix(".dir")
    return list(_listed(folder, content, cache)) if is_whole else []


def _listed(folder: Object, content: bytes, cache: Any) -> Iterator[Object]:
    for entry in json.loads(content):
        yield Object(entry["md5"], f"{folder.name}/{entry['relpath']}", Path(cache.oid_to_path(entry["md5"])))


def _send(store: Any, filesystem: Any, objects: list[Object], advance: Callable[[int], None]) -> None:
    """Send objects, several at a time, and give up at the first that fails: DVC would try every other before."""
    from fsspec import Callback  # lazy: it comes with DVC

    meter = Meter(advance)

    def send(each: Object) -> None:
        size, done = each.cached.stat().st_size, 0

        def told(_: int | None, value: int, **__: Any) -> None:
            nonlocal done
            if (more := min(value, size) - done) > 0:  # a storage that begins again tells of fewer than before
                done += more
                meter(more)

        whole = Callback()
        whole.branched = lambda *_, **__: Callback(hooks={"told": told})  # what DVC tells of the bytes of one file
        store.add(str(each.cached), filesystem, each.md5, check_exists=False, callback=whole)
        told(size, size)  # folders tell of large files alone

    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(send, objects))


def _lacking(store: Any, objects: list[Object]) -> list[Object]:
    """Return the objects that the remote does not have, or has in another size."""

    def lacks(each: Object) -> bool:
        try:
            return bool(store.fs.info(store.oid_to_path(each.md5))["size"] != each.cached.stat().st_size)
        except FileNotFoundError:
            return True

    gone = [lacks(each) for each in objects[:1]]  # alone: s3fs would make a session for each of several at once
    with ThreadPoolExecutor(PARALLEL) as pool:
        gone += pool.map(lacks, objects[1:])
    return list(itertools.compress(objects, gone))
