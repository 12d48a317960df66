"""The process that drives Ray Data, on a private local Ray or on the cluster at RAY_ADDRESS.

An actor holds one model that uses several threads, and is sent some seconds of work at a time. Batches are made before
and numbered, so that the result does not depend on which actor embeds them, or in which order.
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
ACTOR_THREADS: Final = 8  # more threads hardly make one model faster
TASK_BATCHES: Final = 8  # few enough to lose with a worker, and enough for Ray's overhead to be small
MIN_OBJECT_STORE: Final = 80 << 20  # bytes, required by Ray
RAY_SERVERS: Final = 600 << 20  # bytes
ACTOR: Final = 300 << 20  # bytes, without its model
RESTARTS: Final = 8  # of an actor; without a limit, one that runs out of memory would restart for ever
ACTOR_VARIABLES: Final = ("MODEL_FOLDER", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN")
ENVIRONMENT: Final = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
# Ray's servers run any code that they are sent, and on Linux listen on the machine's address. This switch, which Ray
# reads at import, makes a local Ray listen on 127.0.0.1 only.
LOCAL_ENVIRONMENT: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_gcs_rpc_server_reconnect_timeout_s": "5"}

Level: TypeAlias = int


@dataclasses.dataclass(frozen=True)
class Job:
    """What to embed; the rows of the tables are batches."""

    settings: EmbedSettings
    cache: Path | None
    files_sha256: str
    weights: int  # bytes
    tables: list[pa.Table]


@dataclasses.dataclass(frozen=True)
class Failure:
    """A stage error in a form that can be sent to another process."""

    kind: str
    where: str
    what: str
    fix: str


def tables_of(texts: Sequence[Sequence[int]], batches: list[list[int]], numbers: list[int]) -> list[pa.Table]:
    """Return batches as tables with the columns number, lengths (of the texts) and ids (of all their tokens)."""
    return [
        _table(texts, batches, numbers[first : first + TASK_BATCHES]) for first in range(0, len(numbers), TASK_BATCHES)
    ]


def _table(texts: Sequence[Sequence[int]], batches: list[list[int]], numbers: list[int]) -> pa.Table:
    ids = [np.concatenate([np.asarray(texts[index], np.int32) for index in batches[number]]) for number in numbers]
    lengths = [[len(texts[index]) for index in batches[number]] for number in numbers]
    kind = pa.list_(pa.int32())
    return pa.table({"number": numbers, "lengths": pa.array(lengths, kind), "ids": pa.array(ids, kind)})


def drive(job: Job, folder: str | None, sender: Connection, level: Level) -> None:
    """Send the number and vectors of each batch, then None; or a Failure."""
    os.setsid()  # one process group, so that everything that Ray starts can be killed
    os.dup2(2, 1)  # Ray prints to stdout, which is for the result
    log_to_stderr()
    logging.getLogger().setLevel(level)
    try:
        for result in _vectors(job, folder):
            sender.send(result)
        sender.send(None)
    except BrokenPipeError:
        pass  # the receiver has ended
    except (StageError, OSError, MemoryError) as error:
        stage_error = error if isinstance(error, StageError) else translated(error)
        if stage_error is None:
            raise
        sender.send(Failure(type(stage_error).__name__, stage_error.where, stage_error.what, stage_error.fix))


def _vectors(job: Job, folder: str | None) -> Iterator[tuple[int, Any]]:
    os.environ |= ENVIRONMENT if folder is None else ENVIRONMENT | LOCAL_ENVIRONMENT
    import ray  # slow, and reads the variables

    with _stage_errors(ray):
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
    """Return options of ray.init: for the cluster, or for a Ray that only this machine can connect to."""
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if folder is None:
        import samples  # the packages to send to the workers
        import stage

        import chunk_embed

        modules = [str(Path(module.__path__[0])) for module in (chunk_embed, samples, stage)]
        variables = {name: os.environ[name] for name in ACTOR_VARIABLES if name in os.environ}
        return {**options, "runtime_env": {"py_modules": modules, "env_vars": variables}}
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)  # tools/run sets sys.path only
    return {
        **options,
        "address": "local",
        "num_cpus": usable_cores(),
        "include_dashboard": False,
        "_temp_dir": folder,
        "object_store_memory": MIN_OBJECT_STORE + 3 * size,
    }


def _mapped(ray: Any, job: Job) -> Any:
    """Return the lazy Ray dataset of the vectors."""
    gpus = int(backend(job.settings) == "cuda")
    actors, threads = _actors(job.settings, ray.cluster_resources(), len(job.tables), gpus)
    log.info("embedding on Ray (actors: %d, threads per actor: %d)", actors, threads)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray 2.60 has no other way to limit restarts
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
    """Raise OutOfMemory if there is too little for Ray, which would kill and restart workers again and again."""
    actors, _ = _actors(job.settings, {"CPU": usable_cores()}, len(job.tables), 0)
    needed, free = RAY_SERVERS + actors * (ACTOR + 2 * job.weights), usable_memory()
    if free is not None and free < needed:
        what = f"not enough memory: needs about {needed >> 20} MB (actors: {actors}), {free >> 20} MB available"
        raise OutOfMemory("Ray", what, "raise the memory limit, lower actors, or set engine: local")


def _actors(settings: EmbedSettings, resources: dict[str, float], tasks: int, gpus: int) -> tuple[int, int]:
    """Return the number of actors, and of threads of each."""
    cores = max(1, int(resources.get("CPU", 1)))
    threads = min(settings.threads or ACTOR_THREADS, cores)
    maximum = int(resources.get("GPU", 1)) if gpus else cores // threads
    return max(1, min(settings.actors or maximum, maximum, tasks)), threads


class _Actor:
    """A model in a worker, which is called with some batches at a time."""

    def __init__(self, settings: EmbedSettings, cache: Path | None, files_sha256: str, threads: int) -> None:
        model = find_model(settings, cache)
        if model.files_sha256 != files_sha256:
            fix = "use the same image for all nodes"
            raise ChecksumMismatch(model.folder, "differs from the model of the driver", fix)
        self.encoder = load_encoder(model, settings, cache, threads)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Embed the batches in the rows of a table."""
        vectors = []
        for ids, lengths in zip(table["ids"], table["lengths"], strict=True):
            ends = np.cumsum(lengths.values.to_numpy())[:-1]
            texts = [text.tolist() for text in np.split(ids.values.to_numpy(), ends)]
            vectors.append(self.encoder.encode(texts).tobytes())
        return pa.table({"number": table["number"], "vectors": pa.array(vectors, pa.large_binary())})


@contextmanager
def _stage_errors(ray: Any) -> Iterator[None]:
    try:
        yield
    except (ray.exceptions.RayError, ConnectionError, TimeoutError) as error:
        causes = _causes(error)
        if stage_error := next((cause for cause in causes if isinstance(cause, StageError)), None):
            raise stage_error from error
        names = {type(cause).__name__ for cause in causes}
        if "OutOfDiskError" in names:
            fix = "free some disk space, or set TMPDIR"
            raise DiskFull("Ray", "no space left on disk for its objects", fix) from error
        if names & {"ObjectStoreFullError", "OutOfMemoryError"}:
            fix = "lower actors or batch-tokens, or raise the memory limit"
            raise OutOfMemory("Ray", "not enough memory for its objects or workers", fix) from error
        where, what = os.environ.get("RAY_ADDRESS") or "Ray", f"failed: {type(error).__name__} {str(error)[:100]}"
        raise NetworkFailed(where, what, "run it again, or set engine: local") from error


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and its causes, errors of workers included."""
    causes: list[BaseException] = []
    while error and error not in causes:
        causes.append(error)
        error = getattr(error, "cause", None) or error.__cause__ or error.__context__
    return causes
