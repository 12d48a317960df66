"""Runs in processes of their own: the same bytes anywhere, two at once, and within a memory limit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from samples import read_manifest
from unit.parquetizer.tables import AB, RAW, SAMPLES, parquetize, write_params, write_raw

COMMAND = [sys.executable, "-c", "from parquetizer.cli import cli; cli()", "table", "raw"]
DATA = "a,b\n" + "".join(f"{'ü' * (n % 7)}{n % 1000},{n}\n" for n in range(150_000))  # more than one block
PEAK = 300_000  # kB
# Not ru_maxrss, which a child takes over from its parent.
WITH_PEAK = """
import atexit, sys
from parquetizer.cli import cli
atexit.register(lambda: print(*(line for line in open("/proc/self/status") if "VmHWM" in line), file=sys.stderr))
cli()
"""


def command(output: str) -> list[str]:
    return [*COMMAND, output, str(SAMPLES), "--params", "params.yaml"]


@pytest.mark.parametrize("output", ["out.csv", "out.parquet"])
@pytest.mark.parametrize(
    "elsewhere",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "OMP_NUM_THREADS": "1"},
        {"ARROW_NUM_THREADS": "1", "TASKSET": "1"},
    ],
    ids=["C locale", "Turkish locale", "one core"],
)
def test_table_and_manifest_are_the_same_anywhere(output, elsewhere, here):
    """Q16."""
    first = parquetize(DATA, AB, output)
    wanted = first.output.read_bytes(), SAMPLES.read_bytes()
    first.output.unlink()
    SAMPLES.unlink()
    prefix = ["taskset", "-c", "0"] if "TASKSET" in elsewhere and shutil.which("taskset") else []
    subprocess.run([*prefix, *command(output)], env={**os.environ, **elsewhere}, check=True, capture_output=True)
    assert (first.output.read_bytes(), SAMPLES.read_bytes()) == wanted


def test_two_writers_at_once_both_succeed():
    """Q15."""
    wanted = parquetize(DATA)
    table, manifest = wanted.output.read_bytes(), SAMPLES.read_bytes()
    for path in (wanted.output, SAMPLES):
        path.write_bytes(b"older")
    writers = [subprocess.Popen(command("out.csv"), stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], said
    assert (wanted.output.read_bytes(), SAMPLES.read_bytes()) == (table, manifest)
    assert read_manifest(SAMPLES).files == {"out.csv": wanted.result["sha256"]}
    assert sorted(path.name for path in Path().iterdir()) == ["out.csv", "params.yaml", "raw", "samples.parquet"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("output", ["out.csv", "out.parquet"])
def test_a_large_file_does_not_fill_the_memory(output):
    line = "".join(f"{'text ' * 10}{n:06},{n}.25,{n * 7}\n" for n in range(10_000))
    with_header = "s,f,i\n"
    write_raw(with_header)
    with (RAW / "a.csv").open("a") as file:
        for _ in range(60_000_000 // len(line) + 1):
            file.write(line)
    write_params({"s": "string", "f": "float64", "i": "int64"})
    done = subprocess.run([sys.executable, "-c", WITH_PEAK, *command(output)[3:]], check=True, capture_output=True)
    peak = int(done.stderr.split()[-2])
    assert 50_000 < peak <= PEAK
