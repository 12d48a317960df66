"""Speed and peak memory of whole processes against the obvious way, as ratios of runs taken in turn.

Run as ``make bench``. Machines are noisy, so the table shows medians of paired ratios, and nothing fails here.
"""

import functools
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from registry.scratch import copy_working_tree
from registry.toolbox import find_tools, repository

ROOT = repository()
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
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


def main() -> None:
    print(f"{'':<52}{'ours':>10}{'other':>10}{'ratio':>9}  {'bound':<8}{'peaks: ours, other':>18}")
    for bench in (bench_table, bench_fetch, bench_nothing_to_do, bench_start):
        with tempfile.TemporaryDirectory() as folder:
            bench(Path(folder))


if __name__ == "__main__":
    main()
