"""Push a dataset's data to a remote and pull it back, and check every object.

DVC assumes that a directory on the remote is complete and that a read-only file in its cache is intact, so it never
sends a lost object again, and passes a damaged one on. Here every object is hashed before it is sent and after it is
received, and looked up on the remote by name and size. DVC lists the objects of a dataset and checks out what was
received; the bytes go through the store of the client.
"""

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import logging
import os
import secrets
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_registry.git import Git
from data_registry.stage.errors import (
    ChecksumMismatch,
    InputMissing,
    NetworkFailed,
    PushFailed,
    SourceRefused,
    StageError,
    VerificationFailed,
)
from data_registry.stage.foreign import read_bytes
from data_registry.stage.output import replacing
from data_registry.stage.progress import progress
from data_registry.store.objects import LIST, copy_object, has_bytes, parse_list
from data_registry.store.parallel import Meter, in_parallel
from data_registry.store.protocol import Absent, Store, check_md5
from data_registry.store.remote import open_store

from registry.build.pipeline import dvc_repository
from registry.datasets import Dataset

if TYPE_CHECKING:
    from dvc.repo import Repo

log = logging.getLogger(__name__)

PARALLEL = 16  # requests at a time
READ_ONLY = 0o444  # as DVC has the files of its cache


@dataclasses.dataclass(frozen=True)
class Object:
    """A piece of content in DVC's cache: a file, or the list of a folder's files."""

    md5: str  # ends in .dir for a list
    name: str  # of the file or folder, relative to the repository
    cached: Path
    limit: int | None  # maximum size in bytes

    @property
    def is_list(self) -> bool:
        return self.md5.endswith(".dir")

    def is_intact(self) -> bool:
        """Say whether the cache has its bytes."""
        return has_bytes(self.cached, self.md5)


@dataclasses.dataclass(frozen=True)
class Transfer:
    """The number of a dataset's objects and of those ``moved``: on a remote and sent, or verified and fetched."""

    dataset: str
    objects: int
    outcome: str
    moved: int
    verb: str

    def __str__(self) -> str:
        return f"{self.dataset}: {self.objects} of {self.objects} objects {self.outcome}, {self.moved} {self.verb}"


def push(dataset: Dataset, root: Path, remote: str) -> Transfer:
    """Send the objects of a dataset that the remote lacks, and check that it then has all of them.

    Raises InputMissing or ChecksumMismatch for an object that is missing or damaged in the cache; PushFailed, DiskFull
    or SourceRefused where the remote cannot be written.
    """
    with dvc_repository(root) as repo:
        objects = _distinct(_objects(repo, dataset))
        for one in objects:
            if not one.cached.exists():
                raise InputMissing(one.name, "not in the cache", f"make dataset DS={dataset.name}, or make pull")
            if not one.is_intact():
                raise ChecksumMismatch(one.name, f"damaged in the cache ({one.cached})", "delete it and build again")
        store = open_store(Git(root), "HEAD", remote)
        try:
            if lacking := _lacking(store, objects):
                try_out(store)
            size = sum(one.cached.stat().st_size for one in lacking)
            with progress(f"sending {dataset.name} to {remote}", size, "bytes") as advance:
                meter = Meter(advance)
                for lists in (False, True):  # lists last: a list promises that its files are there
                    part = [one for one in lacking if one.is_list == lists]
                    in_parallel(lambda one: store.write(one.md5, one.cached, meter), part, meter, PARALLEL)
            if left := _lacking(store, lacking):
                raise PushFailed(left[0].name, f"still not on {remote}", "check the remote, then run again")
        except NetworkFailed as error:  # a push is retried as a whole
            raise PushFailed(error.where, error.what, error.fix) from error
        return Transfer(dataset.name, len(objects), f"on {remote}", len(lacking), "sent")


def pull(dataset: Dataset, root: Path, remote: str, stages: Collection[str] = ()) -> Transfer:
    """Fetch the outputs of a dataset, or of some of its stages, hash every byte, and check them out.

    Raises NetworkFailed for a missing object, VerificationFailed for one with other bytes.
    """
    with dvc_repository(root) as repo:
        store = open_store(Git(root), "HEAD", remote)
        lists = [one for one in _distinct(_objects(repo, dataset, stages)) if one.is_list]
        moved = sum(in_parallel(functools.partial(_obtain, store, Meter(lambda _: None)), lists))
        objects = _distinct(_objects(repo, dataset, stages))  # with the files of the lists
        if moved or not all(one.cached.exists() for one in objects):
            log.info("%s: fetching missing objects from %s", dataset.name, remote)
        with progress(f"verifying {dataset.name}", len(objects), "objects") as advance:
            meter = Meter(advance)
            moved += sum(in_parallel(functools.partial(_obtain, store, meter), objects, meter))
        _check_out(repo, dataset, stages)
        return Transfer(dataset.name, len(objects), "verified", moved, "fetched")


def try_out(store: Store) -> None:
    """Check that an object can be written and read back, before data is sent.

    It stays where removing it is not allowed. Raises what writing and reading raise.
    """
    content = f"data-registry {secrets.token_hex(16)}\n".encode()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    with tempfile.NamedTemporaryFile(prefix="registry-probe-") as file:
        file.write(content)
        file.flush()
        store.write(md5, Path(file.name))
    where, fix = f"remote {store.remote}", "check that server, then run again"
    try:
        copy_object(store, md5, len, limit=len(content))
    except (Absent, ChecksumMismatch) as error:
        raise PushFailed(where, f"lost a test object: {error.what}", fix) from error
    with contextlib.suppress(SourceRefused, PushFailed):
        store.delete(md5)


def _obtain(store: Store, meter: Meter, wanted: Object) -> bool:
    """Fetch an object into the cache, read-only as DVC keeps them, unless it is there; say whether it was fetched."""
    lacks = not wanted.is_intact()
    if lacks:
        try:
            with replacing(wanted.cached) as (temporary,):
                with temporary.open("wb") as file:

                    def write(block: bytes) -> None:
                        meter(0)  # raises if another thread has failed
                        file.write(block)

                    copy_object(store, wanted.md5, write, limit=wanted.limit)
                temporary.chmod(READ_ONLY)
        except Absent as error:
            raise NetworkFailed(wanted.name, f"not on {store.remote}", "make push where it was built") from error
        except ChecksumMismatch as error:
            fix = "make repair, or make push where it was built"
            raise VerificationFailed(wanted.name, f"damaged on {store.remote} (object {wanted.md5})", fix) from error
    meter(1)
    return lacks


def _check_out(repo: "Repo", dataset: Dataset, stages: Collection[str]) -> None:
    """Check the outputs out of the cache."""
    from dvc.exceptions import DvcException  # lazy: DVC takes seconds to load

    targets = [f"{dataset.pipeline}:{stage}" for stage in sorted(stages)] or [str(dataset.pipeline)]
    try:
        repo.checkout(targets=targets, force=True)
    except DvcException as error:
        cause: BaseException = error
        while cause.__cause__:
            cause = cause.__cause__
        raise StageError(f"data/{dataset.name}", str(cause) or str(error), "run dvc checkout for details") from error


def _objects(repo: "Repo", dataset: Dataset, stages: Collection[str] = ()) -> Iterator[Object]:
    """Yield the objects of the outputs of a dataset, or of some stages; the files of a folder if its list is cached."""
    cache: Any = repo.cache.local
    for out in repo.index.outs:
        if Path(out.stage.path) != dataset.pipeline or not out.use_cache or (stages and out.stage.name not in stages):
            continue
        if not out.hash_info:
            fix = f"make dataset DS={dataset.name}"
            raise InputMissing(dataset.folder / "dvc.lock", f"{out.def_path} not found", fix)
        md5 = check_md5(out.hash_info.value, f"data/{dataset.name}/dvc.lock")
        name, size = os.path.relpath(out.fs_path, repo.root_dir), out.meta.size
        output = Object(md5, name, Path(cache.oid_to_path(md5)), LIST if md5.endswith(".dir") else size)
        yield output
        if output.is_list and output.is_intact():
            for item in parse_list(name, read_bytes(output.cached, LIST), size):
                yield Object(item.md5, item.path, Path(cache.oid_to_path(item.md5)), item.limit)


def _distinct(objects: Iterable[Object]) -> list[Object]:
    distinct: dict[str, Object] = {}
    for one in objects:
        known = distinct.setdefault(one.md5, one)
        if known.limit is not None and (one.limit is None or one.limit > known.limit):  # in a larger folder
            distinct[one.md5] = one
    return list(distinct.values())


def _lacking(store: Store, objects: list[Object]) -> list[Object]:
    """Return the objects that are missing on the remote, or have another size there."""

    def lacks(wanted: Object) -> bool:
        try:
            return store.size(wanted.md5) != wanted.cached.stat().st_size
        except (Absent, SourceRefused):  # without the right to list a bucket, missing objects are refused
            return True

    return list(itertools.compress(objects, in_parallel(lacks, objects, threads=PARALLEL)))
