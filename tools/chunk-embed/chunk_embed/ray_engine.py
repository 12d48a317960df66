"""Run the batches on Ray, from a process of its own.

That process is the one that Ray takes down when its head dies, and that it prints to. Here, the batches whose vectors
have not come are given to another Ray, so that nothing that dies changes the result.
"""

import logging
import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from stage import errors
from stage.errors import NetworkFailed

from chunk_embed.encoders import backend
from chunk_embed.export import prepare_export
from chunk_embed.model import Model
from chunk_embed.ray_driver import Failure, Job, Level, drive, tables_of
from chunk_embed.settings import EmbedSettings
from chunk_embed.tensors import Vectors

log = logging.getLogger(__name__)
STARTS: Final = 3  # of Ray, before it is given up
LONGEST_FOLDER: Final = 40  # characters, for the names of sockets below it end at 107
STALLED: Final = 1800  # seconds without a batch: a cluster without room makes one wait for ever
PATIENCE: Final = 20  # seconds for Ray to end, once all is done

Texts = Sequence[Sequence[int]]


def run_on_ray(
    model: Model, settings: EmbedSettings, cache: Path | None, texts: Texts, batches: list[list[int]]
) -> Generator[tuple[int, Vectors]]:
    """Yield the number of each batch and its vectors, as they come.

    Raises NetworkFailed where Ray is out of reach or goes away again and again, and what an actor does.
    """
    cache = cache.absolute() if cache else None  # actors have a folder of their own
    if backend(settings) == "openvino":
        prepare_export(model, cache)  # before several actors would
    waiting = set(range(len(batches)))
    weights = sum(path.stat().st_size for path in model.weights)
    for start in range(STARTS):
        job = Job(settings, cache, model.files_sha256, weights, tables_of(texts, batches, sorted(waiting)))
        try:
            for number, vectors in _started(job):
                waiting.remove(number)
                yield number, vectors.reshape(len(batches[number]), -1)
        except NetworkFailed as error:
            if start == STARTS - 1:
                raise
            log.warning("%s: %s; starting it again", error.where, error.what)
        if not waiting:
            return


def _started(job: Job) -> Generator[tuple[int, Vectors]]:
    """Yield what one Ray sends, until it is done. Raises NetworkFailed where it is gone, or the error it ended with."""
    folder = None if os.environ.get("RAY_ADDRESS") else _folder()
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    level: Level = logging.getLogger().getEffectiveLevel()
    process = spawn.Process(target=drive, args=(job, folder, sender, level))
    process.start()
    sender.close()
    try:
        yield from _received(receiver)
        process.join(PATIENCE)
    finally:
        receiver.close()
        with suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)  # Ray's servers, if it did not end them
        process.join()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _received(receiver: Connection) -> Generator[tuple[int, Vectors]]:
    where, fix = os.environ.get("RAY_ADDRESS") or "Ray", "run it again, or set engine: local"
    while True:
        if not receiver.poll(STALLED):
            raise NetworkFailed(where, f"did nothing for {STALLED // 60} minutes", fix)
        try:
            found = receiver.recv()
        except (EOFError, ConnectionError) as error:
            raise NetworkFailed(where, "went away", fix) from error
        if found is None:
            return
        if isinstance(found, Failure):
            raise getattr(errors, found.kind)(found.where, found.what, found.fix)
        yield found


def _folder() -> str:
    """Make a folder for Ray's sockets, logs and spilled objects, which only the caller may enter."""
    given = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="ray-", dir=given if len(given) <= LONGEST_FOLDER else "/tmp")  # noqa: S108
