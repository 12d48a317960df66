"""The process that drives Ray Data: a Ray of this run alone, or the cluster that RAY_ADDRESS names.

Every actor is one large model with several threads, and is given some seconds of work at a time. The batches are made
before, and numbered: who does them, and in what order, does not matter.
"""

import dataclasses
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
from stage.errors import ChecksumMismatch, DiskFull, NetworkFailed, OutOfMemory, StageError, translated
from stage.options import log_to_stderr

from chunk_embed.encoders import backend, load_encoder
from chunk_embed.machine import usable_cores, usable_memory
from chunk_embed.model import find_model
from chunk_embed.settings import EmbedSettings

log = logging.getLogger(__name__)
ACTOR_CORES: Final = 8  # more threads hardly make one model faster
TASK_BATCHES: Final = 8  # what a worker that dies loses, and what is large beside Ray's own share
LEAST_STORE: Final = 80 << 20  # bytes that Ray wants for its objects
RAY_ITSELF: Final = 600 << 20  # bytes of its servers
ACTOR: Final = 300 << 20  # bytes of an actor, beside its model
RESTARTS: Final = 8  # of an actor; without a bound, one that memory runs out for comes back for ever
PASSED_ON: Final = ("MODEL_FOLDER", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN")
ENVIRONMENT: Final = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
# Ray's servers run any code that they are sent, and on Linux listen at the machine's address. Its own switch for
# desktops, read at import, makes a Ray that is started here have 127.0.0.1, at which alone all of them then listen.
OF_THIS_RUN: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_gcs_rpc_server_reconnect_timeout_s": "5"}

Level: TypeAlias = int


@dataclasses.dataclass(frozen=True)
class Job:
    """What is to be embedded, and how; a table's rows are batches."""

    settings: EmbedSettings
    cache: Path | None
    files_sha256: str
    weights: int  # bytes
    tables: list[pa.Table]


@dataclasses.dataclass(frozen=True)
class Failure:
    """A stage error on its way to another process."""

    kind: str
    where: str
    what: str
    fix: str


def tables_of(texts: Sequence[Sequence[int]], batches: list[list[int]], numbers: list[int]) -> list[pa.Table]:
    """Return some batches as rows: their numbers, the lengths of their texts, and the tokens of all of these."""
    return [
        _table(texts, batches, numbers[first : first + TASK_BATCHES]) for first in range(0, len(numbers), TASK_BATCHES)
    ]


def _table(texts: Sequence[Sequence[int]], batches: list[list[int]], numbers: list[int]) -> pa.Table:
    ids = [np.concatenate([np.asarray(texts[place], np.int32) for place in batches[number]]) for number in numbers]
    lengths = [[len(texts[place]) for place in batches[number]] for number in numbers]
    lists = pa.list_(pa.int32())
    return pa.table({"number": numbers, "lengths": pa.array(lengths, lists), "ids": pa.array(ids, lists)})


def drive(job: Job, folder: str | None, sender: Connection, level: Level) -> None:
    """Send the number and the vectors of every batch, then None; or a Failure."""
    os.setsid()  # so that all that Ray starts can be ended together
    os.dup2(2, 1)  # Ray prints to stdout, which is for the result
    log_to_stderr()
    logging.getLogger().setLevel(level)
    try:
        for found in _vectors(job, folder):
            sender.send(found)
        sender.send(None)
    except BrokenPipeError:
        pass  # nobody waits any more
    except (StageError, OSError, MemoryError) as error:
        told = error if isinstance(error, StageError) else translated(error)
        if told is None:
            raise
        sender.send(Failure(type(told).__name__, told.where, told.what, told.fix))


def _vectors(job: Job, folder: str | None) -> Iterator[tuple[int, Any]]:
    os.environ |= ENVIRONMENT if folder is None else ENVIRONMENT | OF_THIS_RUN
    import ray

    with _translated(ray):
        try:
            if folder is not None:
                _check_memory(job)
            ray.init(**_options(folder, sum(table.nbytes for table in job.tables)))
            for table in _mapped(ray, job).iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                for number, vectors in zip(table["number"].to_pylist(), table["vectors"], strict=True):
                    yield number, np.frombuffer(vectors.as_buffer(), np.float32)
        finally:
            ray.shutdown()


def _options(folder: str | None, size: int) -> dict[str, Any]:
    """Return how to connect to the cluster, or to start a Ray that only this machine reaches."""
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if folder is None:
        import samples
        import stage

        import chunk_embed

        modules = [str(Path(module.__path__[0])) for module in (chunk_embed, samples, stage)]
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {**options, "runtime_env": {"py_modules": modules, "env_vars": passed}}
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)  # tools/run's are in no variable
    return {
        **options,
        "address": "local",
        "num_cpus": usable_cores(),
        "include_dashboard": False,
        "_temp_dir": folder,
        "object_store_memory": LEAST_STORE + 3 * size,
    }


def _mapped(ray: Any, job: Job) -> Any:
    """Return the dataset of the tables' vectors, of which nothing is computed until it is read."""
    gpus = int(backend(job.settings) == "cuda")
    actors, threads = _actors(job.settings, ray.cluster_resources(), len(job.tables), gpus)
    log.info("embedding on Ray, actors: %d, threads of each: %d", actors, threads)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray 2.60 has no other way to say how often an actor may come back
        return ray.data.from_arrow(job.tables).map_batches(
            _Actor,
            fn_constructor_args=(job.settings, job.cache, job.files_sha256, threads),
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=actors),
            num_cpus=threads,
            num_gpus=gpus,
            max_restarts=RESTARTS,
            max_task_retries=RESTARTS,
        )


def _check_memory(job: Job) -> None:
    """Raise OutOfMemory where Ray would not end: it kills workers that there is no room for, and tries again."""
    actors, _ = _actors(job.settings, {"CPU": usable_cores()}, len(job.tables), 0)
    needed, free = RAY_ITSELF + actors * (ACTOR + 2 * job.weights), usable_memory()
    if free is not None and free < needed:
        what = f"needs about {needed >> 20} MB (actors: {actors}), and {free >> 20} MB are free"
        raise OutOfMemory("Ray", what, "raise the memory limit, lower actors, or set engine: local")


def _actors(settings: EmbedSettings, has: dict[str, float], tasks: int, gpus: int) -> tuple[int, int]:
    """Return how many actors there are to be, and the threads of each."""
    cores = max(1, int(has.get("CPU", 1)))
    threads = min(settings.threads or ACTOR_CORES, cores)
    room = int(has.get("GPU", 1)) if gpus else cores // threads
    return max(1, min(settings.actors or room, room, tasks)), threads


class _Actor:
    """A model in a worker; it is called with some batches at a time."""

    def __init__(self, settings: EmbedSettings, cache: Path | None, files_sha256: str, threads: int) -> None:
        model = find_model(settings, cache)
        if model.files_sha256 != files_sha256:
            raise ChecksumMismatch(model.folder, "is not the model that the driver has", "use one image everywhere")
        self.encoder = load_encoder(model, settings, cache, threads)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Embed the batches in the rows of a table."""
        vectors = []
        for ids, lengths in zip(table["ids"], table["lengths"], strict=True):
            places = np.cumsum(lengths.values.to_numpy())[:-1]
            texts = [text.tolist() for text in np.split(ids.values.to_numpy(), places)]
            vectors.append(self.encoder.encode(texts).tobytes())
        return pa.table({"number": table["number"], "vectors": pa.array(vectors, pa.large_binary())})


@contextmanager
def _translated(ray: Any) -> Iterator[None]:
    try:
        yield
    except (ray.exceptions.RayError, ConnectionError, TimeoutError) as error:
        causes = _causes(error)
        if found := next((each for each in causes if isinstance(each, StageError)), None):
            raise found from error
        names = {type(each).__name__ for each in causes}
        if "OutOfDiskError" in names:
            raise DiskFull("Ray", "no disk space left for its objects", "free some, or set TMPDIR") from error
        if names & {"ObjectStoreFullError", "OutOfMemoryError"}:
            fix = "lower actors or batch-tokens, or raise the memory limit"
            raise OutOfMemory("Ray", "not enough memory for its objects or workers", fix) from error
        where, what = os.environ.get("RAY_ADDRESS") or "Ray", f"failed: {type(error).__name__} {str(error)[:100]}"
        raise NetworkFailed(where, what, "run it again, or set engine: local") from error


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and what it came from, workers' errors included."""
    found: list[BaseException] = []
    while error and error not in found:
        found.append(error)
        error = getattr(error, "cause", None) or error.__cause__ or error.__context__
    return found
