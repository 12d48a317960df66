"""Speed and peak memory of whole processes against the obvious way, as ratios of runs taken in turn.

Run as ``make bench``, or as ``tools/run tests python tests/bench/run.py images text`` to run some. Machines are noisy,
so the table shows medians of paired ratios, and nothing fails here.
"""

import functools
import gzip
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from registry.scratch import copy_working_tree
from registry.toolbox import find_tools, repository

ROOT = repository()
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
SLOW_RUNS = min(RUNS, 3)  # where the obvious way takes half a minute
BIN = Path(sys.executable).parent  # the tools' own console scripts, as an image starts them
ROWS, MEGABYTES = 2_000_000, 200
DECIMALS = {
    **{"fixed acidity": 1, "volatile acidity": 2, "citric acid": 2, "residual sugar": 1, "chlorides": 3},
    **{"free sulfur dioxide": 0, "total sulfur dioxide": 0, "density": 5, "pH": 2, "sulphates": 2, "alcohol": 1},
}
PANDAS = "import pandas, sys; pandas.read_csv(sys.argv[1]).to_parquet(sys.argv[2])"
# A small process of its own, for a child's peak is at least its parent's size when it was forked.
METER = """
import os, subprocess, sys, time
started = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - started, usage.ru_maxrss)
sys.exit(status != 0)
"""
# A server that costs this machine next to nothing, as one elsewhere would: the kernel sends the file by itself.
SERVER = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as server, open(sys.argv[1], "rb") as file:
    print(server.getsockname()[1], flush=True)
    size = file.seek(0, 2)
    while True:
        line, _ = server.accept()
        with line:
            line.recv(65536)
            line.sendall(f"HTTP/1.1 200 OK\\r\\nContent-Length: {size}\\r\\nConnection: close\\r\\n\\r\\n".encode())
            line.sendfile(file, 0)
"""
# The obvious ways.
TOLIST = """
import gzip, pathlib, numpy as np, pyarrow as pa, pyarrow.parquet as pq
for name in ("train", "t10k"):
    read = lambda kind, skip: np.frombuffer(gzip.open(f"raw/{name}-{kind}-ubyte.gz").read(), np.uint8, offset=skip)
    images = read("images-idx3", 16).reshape(-1, 28, 28)
    pq.write_table(pa.table({"image": images.tolist(), "label": read("labels-idx1", 8)}), f"{name}.parquet")
"""
LISTS = """
import numpy as np, pyarrow.parquet as pq
for name in ("train", "val"):
    images = np.array(pq.read_table(f"out/{name}/{name}.parquet")["image"].to_pylist()) / 255
    print(images.mean(), images.std(), images.min(), images.max(), np.median(images))
"""
STRINGS = """
import pandas as pd
for name in ("train", "val", "test"):
    data = pd.read_parquet(f"out/{name}/{name}.parquet")
    for lengths in (data["text"].str.len(), data["text"].str.split().str.len()):
        print(lengths.mean(), lengths.std(), lengths.min(), lengths.max(), lengths.median())
    print(data["label"].value_counts(), data["text"].duplicated().sum())
"""
URLRETRIEVE = "import sys, urllib.request; urllib.request.urlretrieve(sys.argv[1], sys.argv[2])"


@dataclass(frozen=True)
class Run:
    """One run of a process."""

    seconds: float
    peak: int  # MB


def measure(*command: str | Path, folder: Path, **variables: str) -> Run:
    """Run a process to its end and account for it, children included."""
    os.sync()  # so that no run pays for the writes of the one before
    environ = {**os.environ, "RUNTIME": "host", **variables}
    metered = [sys.executable, "-S", "-c", METER, *command]
    shown = subprocess.run(metered, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if shown.returncode:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    seconds, peak = shown.stdout.split()
    return Run(float(seconds), int(peak) // 1000)


def compare(name: str, bound: str, ours: Callable[[], Run], theirs: Callable[[], Run], runs: int = RUNS) -> None:
    """Print a row: medians of both, and of the ratios pair by pair, after one run of each to warm up."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(runs)]
    a, b = (statistics.median(pair[side].seconds for pair in pairs) for side in (0, 1))
    ratio = statistics.median(mine.seconds / other.seconds for mine, other in pairs)
    peaks = [max(pair[side].peak for pair in pairs) for side in (0, 1)]
    print(f"{name:<52}{a:8.2f} s{b:8.2f} s{ratio:8.2f}x  {bound:<8}{peaks[0]:6d} MB{peaks[1]:6d} MB", flush=True)


def wine_like(folder: Path) -> None:
    """Write a CSV of wine-like rows, and the params that describe it."""
    random = np.random.default_rng(0)
    columns = {name: np.round(random.gamma(4, 1, ROWS), digits) for name, digits in DECIMALS.items()}
    pa_csv.write_csv(pa.table({**columns, "quality": random.integers(3, 10, ROWS)}), folder / "big.csv")
    types = [f"    - {{name: {name}, type: float64}}" for name in DECIMALS] + ["    - {name: quality, type: int64}"]
    lines = ["dataset:", "  columns:", *types, "parquetizer:", "  inputs:", "    - {file: big.csv}"]
    (folder / "params.yaml").write_text("\n".join(lines) + "\n")


def bench_table(folder: Path) -> None:
    wine_like(folder)
    tool = [str(BIN / "parquetizer"), "table", "--params", "params.yaml", ".", "out.parquet"]
    theirs = functools.partial(measure, sys.executable, "-c", PANDAS, "big.csv", "pandas.parquet", folder=folder)
    compare(
        f"CSV to Parquet, {ROWS:,} rows, no manifest",
        "<= 1.5",
        functools.partial(measure, *tool, folder=folder),
        theirs,
    )
    tool.append("samples.parquet")
    compare("the same with the sample manifest", "<= 4", functools.partial(measure, *tool, folder=folder), theirs)


def bench_fetch(folder: Path) -> None:
    data = np.random.default_rng(0).bytes(MEGABYTES * 1_000_000)
    (folder / "served").write_bytes(data)
    command = [sys.executable, "-c", SERVER, str(folder / "served")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        port = server.stdout.readline().strip()
        url = f"http://127.0.0.1:{port}/blob"
        pin = f"{hashlib.sha256(data).hexdigest()},{len(data)}"
        (folder / "sources.csv").write_text(f"name,url,sha256,bytes\nblob,{url},{pin}\n")

        def ours() -> Run:
            shutil.rmtree(folder / "raw", ignore_errors=True)
            trust = {"FETCH_TRUST": f"127.0.0.1:{port}", "FETCH_MIRROR": ""}
            return measure(BIN / "fetcher", "fetch", "sources.csv", "raw", folder=folder, **trust)

        def theirs() -> Run:
            (folder / "retrieved").unlink(missing_ok=True)
            return measure(sys.executable, "-c", URLRETRIEVE, url, "retrieved", folder=folder)

        compare(f"fetch {MEGABYTES} MB, hashed and fsynced, over urlretrieve", "<= 1", ours, theirs, 2 * RUNS)
        server.terminate()


def bench_nothing_to_do(folder: Path) -> None:
    """Measure what make dataset adds to dvc repro where all stages are current."""
    clone = folder / "clone"
    copy_working_tree(ROOT, clone)
    shutil.copy(clone / "data/wine-quality/sample/sources.csv", clone / "data/wine-quality/sources.csv")
    subprocess.run(["git", "init", "-q"], cwd=clone, check=True)
    ready = {"REGISTRY_ENVS": os.environ.get("REGISTRY_ENVS", str(ROOT / ".venvs")), "DS": "wine-quality"}
    ours = functools.partial(measure, "make", "dataset", folder=clone, **ready)
    dvc = Path(ready["REGISTRY_ENVS"]) / "registry" / "bin" / "dvc"
    compare(
        "make dataset, nothing to do, over dvc repro",
        "+0.5 s",
        ours,
        functools.partial(measure, dvc, "repro", folder=clone / "data/wine-quality"),
    )


def bench_start(folder: Path) -> None:
    """Measure how long a tool takes to say its help, over a bare Python."""
    for name in find_tools(ROOT):
        ours = functools.partial(measure, ROOT / "tools/run", name, "--help", folder=folder)
        compare(f"start {name}", "< 1 s", ours, functools.partial(measure, sys.executable, "-c", "", folder=folder))


def dataset_params(name: str, folder: Path) -> None:
    """Copy what a dataset says of itself, and an empty list of sources, into a folder."""
    shutil.copy(ROOT / "data" / name / "params.yaml", folder)
    (folder / "sources.csv").write_text("name,url,sha256,bytes\n")


def bench_images(folder: Path) -> None:
    """Measure 70 000 images of 28 x 28, as many as Fashion-MNIST has and as hard to compress, from IDX and back."""
    dataset_params("fashion-mnist", folder)
    (folder / "raw").mkdir()
    random = np.random.default_rng(0)
    for name, count in (("train", 60_000), ("t10k", 10_000)):
        shade = random.integers(0, 256, (count, 28, 28), np.uint8)
        images = np.where(random.random((count, 28, 28)) < 0.5, 0, shade).astype(np.uint8)
        labels = random.integers(0, 10, count, np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = np.array([0x0800 + array.ndim, *array.shape], ">u4").tobytes()
            with gzip.open(folder / "raw" / f"{name}-{kind}-ubyte.gz", "wb", 1) as file:
                file.write(head + array.tobytes())
    made = functools.partial(measure, BIN / "parquetizer", "idx", "--params", "params.yaml", "raw", "out", "s.parquet")
    tolist = functools.partial(measure, sys.executable, "-c", TOLIST, folder=folder)
    compare("70,000 images, IDX to Parquet and manifest", "<= 0.2", lambda: made(folder=folder), tolist, SLOW_RUNS)
    options = ["--params", "params.yaml", "--sources", "sources.csv", "out", "s.parquet", "metadata.json"]
    summarised = functools.partial(measure, BIN / "stats", "images", *options, folder=folder)
    lists = functools.partial(measure, sys.executable, "-c", LISTS, folder=folder)
    compare("their statistics, over NumPy lists", "<= 0.1", summarised, lists, SLOW_RUNS)


def bench_text(folder: Path) -> None:
    """Measure the statistics of 500 000 texts."""
    dataset_params("emotion", folder)
    (folder / "raw").mkdir()
    random = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(5_000)])
    labels = ["sadness", "joy", "love", "anger", "fear", "surprise"]
    for name, count in (("train", 480_000), ("val", 10_000), ("test", 10_000)):
        sizes, chosen = random.integers(5, 35, count), random.integers(0, 6, count)
        lines = [
            f"{' '.join(words[random.integers(0, 5_000, size)])};{labels[label]}\n"
            for size, label in zip(sizes, chosen, strict=True)
        ]
        (folder / "raw" / f"{name}.txt").write_text("".join(lines))
    measure(BIN / "parquetizer", "text", "--params", "params.yaml", "raw", "out", "s.parquet", folder=folder)
    options = ["--params", "params.yaml", "--sources", "sources.csv", "out", "s.parquet", "metadata.json"]
    compare(
        "statistics of 500,000 texts, over pandas",
        "<= 0.5",
        functools.partial(measure, BIN / "stats", "text", *options, folder=folder),
        functools.partial(measure, sys.executable, "-c", STRINGS, folder=folder),
    )


def bench_many_files(folder: Path) -> None:
    """Measure a cold pull of 500 images, over that of the same images in one Parquet file and in one tar."""
    clone = folder / "clone"
    copy_working_tree(ROOT, clone)
    for name in ("files", "parquet", "tar"):
        (clone / "data" / name).mkdir()
    images = clone / "data" / "files" / "images"
    images.mkdir()
    random = np.random.default_rng(0)
    for number in range(500):
        (images / f"{number:06d}.jpg").write_bytes(random.bytes(80_000))
    content = [path.read_bytes() for path in sorted(images.iterdir())]
    pq.write_table(pa.table({"image": content}), clone / "data" / "parquet" / "images.parquet", compression="none")
    with tarfile.open(clone / "data" / "tar" / "images.tar", "w") as tar:
        tar.add(images, "images")
    outs = {"files": "images", "parquet": "images.parquet", "tar": "images.tar"}
    for name, out in outs.items():
        text = f'stages: {{make: {{cmd: "true", outs: [{out}]}}}}\n'
        (clone / "data" / name / "dvc.yaml").write_text(text)
    ready = {"REGISTRY_ENVS": os.environ.get("REGISTRY_ENVS", str(ROOT / ".venvs")), "DVC_REMOTE": "local"}
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for command in ([*git, "init", "-q"], [*git, "add", "-A"], [*git, "commit", "-q", "-m", "bench"]):
        subprocess.run(command, cwd=clone, check=True)
    for name in outs:
        for verb in ("commit", "push"):
            dvc = Path(ready["REGISTRY_ENVS"]) / "registry" / "bin" / "dvc"
            command = [str(dvc), "commit", "-q", "-f", f"data/{name}/dvc.yaml"]
            command = command if verb == "commit" else ["tools/run", "registry", "push", name]
            subprocess.run(command, cwd=clone, check=True, env={**os.environ, **ready}, stdout=subprocess.DEVNULL)

    def pulled(name: str) -> Run:
        shutil.rmtree(clone / ".dvc" / "cache")
        path = clone / "data" / name / outs[name]
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return measure("make", "pull", folder=clone, DS=name, **ready)

    for other in ("parquet", "tar"):
        compare(
            f"cold pull of 500 images, over one {other}",
            "",
            functools.partial(pulled, "files"),
            functools.partial(pulled, other),
        )


BENCHES = (
    *(bench_table, bench_images, bench_text, bench_fetch, bench_many_files),
    *(bench_nothing_to_do, bench_start),
)


def main() -> None:
    print(f"{'':<52}{'ours':>10}{'other':>10}{'ratio':>9}  {'bound':<8}{'peaks: ours, other':>18}")
    chosen = sys.argv[1:]
    for bench in BENCHES:
        if chosen and bench.__name__.removeprefix("bench_") not in chosen:
            continue
        with tempfile.TemporaryDirectory() as folder:
            bench(Path(folder))


if __name__ == "__main__":
    main()
