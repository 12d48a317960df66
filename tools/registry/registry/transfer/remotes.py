"""Push a dataset's data to a remote and pull it back, and make sure of every object.

DVC takes a directory that is on the remote for complete, and a read-only file in its cache for right; so a lost
object is never sent again, and a damaged one is passed on. Here every object is hashed before it is sent and after it
has come, and looked for on the remote by name and size. DVC says what a dataset's objects are, and puts what has come
in its place; the bytes go by the same store as everywhere else.
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
    name: str  # whose content it is, relative to the repository
    cached: Path
    limit: int | None  # bytes that it has at most

    @property
    def is_list(self) -> bool:
        return self.md5.endswith(".dir")

    def is_whole(self) -> bool:
        """Say whether the cache has it, unharmed."""
        return has_bytes(self.cached, self.md5)


@dataclasses.dataclass(frozen=True)
class Transfer:
    """What was sent or fetched."""

    dataset: str
    remote: str
    objects: int
    moved: int


def push(dataset: Dataset, root: Path, remote: str) -> Transfer:
    """Send what the remote lacks of a dataset, and see that it then has every object in full size.

    Raises InputMissing or ChecksumMismatch where the cache lacks an object or has it damaged; PushFailed where the
    remote does not take it, DiskFull where its disk is full, SourceRefused where it refuses.
    """
    with dvc_repository(root) as repo:
        objects = _distinct(_objects(repo, dataset))
        for each in objects:
            if not each.cached.exists():
                raise InputMissing(each.name, "not in the cache", f"make dataset DS={dataset.name}, or make pull")
            if not each.is_whole():
                raise ChecksumMismatch(each.name, f"damaged in the cache ({each.cached})", "delete it and build again")
        store = open_store(Git(root), "HEAD", remote)
        with _sending():
            if lacking := _lacking(store, objects):
                try_out(store)
            size = sum(each.cached.stat().st_size for each in lacking)
            with progress(f"sending {dataset.name} to {remote}", size, "bytes") as advance:
                meter = Meter(advance)
                for lists in (False, True):  # last, for a list says that its files are there
                    part = [each for each in lacking if each.is_list == lists]
                    in_parallel(lambda each: store.write(each.md5, each.cached, meter), part, meter, PARALLEL)
            if left := _lacking(store, lacking):
                raise PushFailed(left[0].name, f"still not on {remote}", "look at the remote, then run it again")
        return Transfer(dataset.name, remote, len(objects), len(lacking))


def pull(dataset: Dataset, root: Path, remote: str, stages: Collection[str] = ()) -> Transfer:
    """Fetch a dataset's data, or what some of its stages have made, put it in place, every byte of it hashed.

    Raises NetworkFailed where the remote does not give it, VerificationFailed where it gives other bytes.
    """
    with dvc_repository(root) as repo:
        store = open_store(Git(root), "HEAD", remote)
        lists = [each for each in _distinct(_objects(repo, dataset, stages)) if each.is_list]
        moved = sum(in_parallel(functools.partial(_obtain, store, Meter(lambda _: None)), lists))
        objects = _distinct(_objects(repo, dataset, stages))  # with those that the lists name
        if moved or not all(each.cached.exists() for each in objects):
            log.info("%s: fetching what is not here from %s", dataset.name, remote)
        with progress(f"verifying {dataset.name}", len(objects), "objects") as advance:
            meter = Meter(advance)
            moved += sum(in_parallel(functools.partial(_obtain, store, meter), objects, meter))
        _check_out(repo, dataset, stages)
        return Transfer(dataset.name, remote, len(objects), moved)


def try_out(store: Store) -> None:
    """See that a store takes an object, and gives it back, before anything of worth is sent.

    Where it may not be removed it stays, under the name that its bytes have. Raises what writing and reading do.
    """
    content = f"data-registry {secrets.token_hex(16)}\n".encode()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    with tempfile.NamedTemporaryFile(prefix="registry-probe-") as file:
        file.write(content)
        file.flush()
        store.write(md5, Path(file.name))
    where, fix = f"remote {store.remote}", "look at that server, then run again"
    try:
        copy_object(store, md5, len, limit=len(content))
    except (Absent, ChecksumMismatch) as error:
        raise PushFailed(where, f"has not kept what was written to it: {error.what}", fix) from error
    with contextlib.suppress(SourceRefused, PushFailed):
        store.delete(md5)


@contextlib.contextmanager
def _sending() -> Iterator[None]:
    """Let what fails while something is sent say so: it is run again as a whole."""
    try:
        yield
    except NetworkFailed as error:
        raise PushFailed(error.where, error.what, error.fix) from error


def _obtain(store: Store, meter: Meter, each: Object) -> bool:
    """See that the cache has an object, read-only as DVC has them, and say whether it was fetched for that."""
    lacks = not each.is_whole()
    if lacks:
        try:
            with replacing(each.cached) as (temporary,):
                with temporary.open("wb") as file:

                    def write(block: bytes) -> None:
                        meter(0)  # which ends it where another has failed
                        file.write(block)

                    copy_object(store, each.md5, write, limit=each.limit)
                temporary.chmod(READ_ONLY)
        except Absent as error:
            raise NetworkFailed(each.name, f"not on {store.remote}", "make push where it was built") from error
        except ChecksumMismatch as error:
            fix = "delete that object there, then make push a good copy"
            raise VerificationFailed(each.name, f"{store.remote} has other bytes than {each.md5}", fix) from error
    meter(1)
    return lacks


def _check_out(repo: "Repo", dataset: Dataset, stages: Collection[str]) -> None:
    """Put what the cache has in place."""
    from dvc.exceptions import DvcException

    targets = [f"{dataset.pipeline}:{stage}" for stage in sorted(stages)] or [str(dataset.pipeline)]
    try:
        repo.checkout(targets=targets, force=True)
    except DvcException as error:
        cause: BaseException = error
        while cause.__cause__:
            cause = cause.__cause__
        raise StageError(f"data/{dataset.name}", str(cause) or str(error), "see what dvc checkout says") from error


def _objects(repo: "Repo", dataset: Dataset, stages: Collection[str] = ()) -> Iterator[Object]:
    """Yield the objects of the outputs of a dataset, or some stages; of a folder not in the cache, its list alone."""
    cache: Any = repo.cache.local
    for out in repo.index.outs:
        if Path(out.stage.path) != dataset.pipeline or not out.use_cache or (stages and out.stage.name not in stages):
            continue
        if not out.hash_info:
            raise InputMissing(dataset.folder / "dvc.lock", f"has no {out.def_path}", f"make dataset DS={dataset.name}")
        md5 = check_md5(out.hash_info.value, f"data/{dataset.name}/dvc.lock")
        name, size = os.path.relpath(out.fs_path, repo.root_dir), out.meta.size
        whole = Object(md5, name, Path(cache.oid_to_path(md5)), LIST if md5.endswith(".dir") else size)
        yield whole
        if whole.is_list and whole.is_whole():
            for item in parse_list(name, read_bytes(whole.cached, LIST), size):
                yield Object(item.md5, item.path, Path(cache.oid_to_path(item.md5)), item.limit)


def _distinct(objects: Iterable[Object]) -> list[Object]:
    found: dict[str, Object] = {}
    for each in objects:
        known = found.setdefault(each.md5, each)
        if known.limit is not None and (each.limit is None or each.limit > known.limit):  # in a larger folder
            found[each.md5] = each
    return list(found.values())


def _lacking(store: Store, objects: list[Object]) -> list[Object]:
    """Return the objects that the remote does not have, or has in another size."""

    def lacks(each: Object) -> bool:
        try:
            return store.size(each.md5) != each.cached.stat().st_size
        except (Absent, SourceRefused):  # who may not list a bucket is refused what is not there
            return True

    return list(itertools.compress(objects, in_parallel(lacks, objects, threads=PARALLEL)))
