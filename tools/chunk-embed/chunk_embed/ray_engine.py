"""Run batches on Ray, driven by a separate process.

Ray ends that process when its head dies, and prints to its output. The batches whose vectors are missing are then sent
to a new Ray, so that the result does not depend on failures.
"""

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Generator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from stage import errors
from stage.errors import NetworkFailed

from chunk_embed.encoders import Vectors, backend
from chunk_embed.export import prepare_export
from chunk_embed.model import Model
from chunk_embed.ray_driver import Failure, Job, Level, drive, tables_of
from chunk_embed.settings import EmbedSettings

log = logging.getLogger(__name__)
ATTEMPTS: Final = 3  # to start Ray
MAX_FOLDER: Final = 40  # characters; paths of sockets below it may have 107
BATCH_TIMEOUT: Final = 1800  # seconds; a cluster without resources would wait for ever
CONNECT_TIMEOUT: Final = 20  # seconds
EXIT_TIMEOUT: Final = 20  # seconds

Texts = Sequence[Sequence[int]]


def run_on_ray(
    model: Model, settings: EmbedSettings, cache: Path | None, texts: Texts, batches: list[list[int]]
) -> Generator[tuple[int, Vectors]]:
    """Yield the number and vectors of each batch as they arrive.

    Raises NetworkFailed if Ray cannot be reached or fails repeatedly, and what an actor raises.
    """
    cache = cache.absolute() if cache else None  # actors have other working folders
    if backend(settings) == "openvino":
        prepare_export(model, cache)  # otherwise each actor would
    missing = set(range(len(batches)))
    weights = sum(path.stat().st_size for path in model.weights)
    for attempt in range(ATTEMPTS):
        job = Job(settings, cache, model.files_sha256, weights, tables_of(texts, batches, sorted(missing)))
        try:
            for number, vectors in _run(job):
                missing.remove(number)
                yield number, vectors.reshape(len(batches[number]), -1)
        except NetworkFailed as error:
            if attempt == ATTEMPTS - 1:
                raise
            log.warning("%s: %s; restarting it", error.where, error.what)
        if not missing:
            return


def _run(job: Job) -> Generator[tuple[int, Vectors]]:
    """Yield the results of one Ray. Raises NetworkFailed if it ends early, or the error that it sends."""
    if address := os.environ.get("RAY_ADDRESS"):
        _check_reachable(address)
    folder = None if address else _folder()
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    level: Level = logging.getLogger().getEffectiveLevel()
    process = spawn.Process(target=drive, args=(job, folder, sender, level))
    process.start()
    sender.close()
    try:
        yield from _received(receiver)
        process.join(EXIT_TIMEOUT)
    finally:
        receiver.close()
        with suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)  # servers that Ray did not end
        process.join()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _check_reachable(address: str) -> None:
    """Raise NetworkFailed where nothing listens at ``host:port``: Ray itself would try for many minutes."""
    host, separator, port = address.rpartition("://")[2].rpartition(":")
    if separator and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT).close()
        except (OSError, OverflowError) as error:
            what = f"cannot connect: {getattr(error, 'strerror', None) or error}"
            raise NetworkFailed(address, what, "run it again, or set engine: local") from error


def _received(receiver: Connection) -> Generator[tuple[int, Vectors]]:
    where, fix = os.environ.get("RAY_ADDRESS") or "Ray", "run it again, or set engine: local"
    while True:
        if not receiver.poll(BATCH_TIMEOUT):
            raise NetworkFailed(where, f"no result for {BATCH_TIMEOUT // 60} minutes", fix)
        try:
            result = receiver.recv()
        except (EOFError, ConnectionError) as error:
            raise NetworkFailed(where, "connection lost", fix) from error
        if result is None:
            return
        if isinstance(result, Failure):
            raise getattr(errors, result.kind)(result.where, result.what, result.fix)
        yield result


def _folder() -> str:
    """Create a private folder for Ray's sockets, logs and spilled objects."""
    parent = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="ray-", dir=parent if len(parent) <= MAX_FOLDER else "/tmp")  # noqa: S108
