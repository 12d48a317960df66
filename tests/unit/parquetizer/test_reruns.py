"""Runs in processes of their own: the same bytes anywhere, two at once, and within a memory limit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from samples import read_manifest
from unit.parquetizer.tables import AB, RAW, SAMPLES, Columns, parquetize, write_params, write_raw

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


EUROPEAN: dict[str, Any] = {
    "delimiter": ";",
    "decimal": ",",
    "trim": True,
    "comment": "#",
    "skip_empty_rows": True,
    "null_values": ["?"],
}
MOMENTS: Columns = {
    "day": {"type": "date", "format": "%d %B %Y"},
    "at": {"type": "timestamp[us, Europe/Berlin]", "format": "%d.%m.%Y %I:%M %p"},
    "real": "float64",
}


def test_dates_and_numbers_are_the_same_anywhere():
    """Neither locale nor time zone of the process has a say."""
    data = "day;at;real\n" + "".join(
        f"{1 + n % 28} MAY 20{n % 100:02};{1 + n % 28}.1.2020 0{1 + n % 9}:30 PM;{n},5\n" for n in range(5000)
    )
    first = parquetize(data, MOMENTS, "out.parquet", **EUROPEAN)
    wanted = first.output.read_bytes(), SAMPLES.read_bytes()
    elsewhere = {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8"}
    subprocess.run(command("out.parquet"), env={**os.environ, **elsewhere}, check=True, capture_output=True)
    assert (first.output.read_bytes(), SAMPLES.read_bytes()) == wanted


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize(
    ("output", "line", "dialect"),
    [
        ("out.csv", "{text};{n}.25;{n}\n", {"delimiter": ";"}),
        ("out.parquet", "{text};{n}.25;{n}\n", {"delimiter": ";"}),
        pytest.param(*("out.parquet", '"{text}" ; {n},25 ; ?\n# {text}\n;;\n', EUROPEAN), marks=pytest.mark.extended),
    ],
    ids=["CSV", "Parquet", "comments and space"],
)
def test_a_large_file_does_not_fill_the_memory(output, line, dialect):
    line = "".join(line.format(text=f"{'text ' * 10}{n:06}", n=n) for n in range(10_000))
    write_raw("s;f;i\n")
    with (RAW / "a.csv").open("a") as file:
        for _ in range(60_000_000 // len(line) + 1):
            file.write(line)
    write_params({"s": "string", "f": "float64", "i": "int64"}, **dialect)
    done = subprocess.run([sys.executable, "-c", WITH_PEAK, *command(output)[3:]], check=True, capture_output=True)
    peak = int(done.stderr.split()[-2])
    assert 50_000 < peak <= PEAK


@pytest.mark.extended
@pytest.mark.parametrize("line", ["#" + "x" * 999, "#\n" * 500, ";" * 1000, " " * 1000, "#x\n;;\n" * 200])
def test_lines_that_are_no_rows_take_no_memory(line):
    """One line of many megabytes too; rows follow, or the file is refused."""
    write_raw("s;f\nx;1\n")
    with (RAW / "a.csv").open("a") as file:
        for _ in range(30_000):
            file.write(line)
        file.write("\ny;2\n")
    write_params({"s": "string", "f": "float64"}, **EUROPEAN)
    done = subprocess.run([sys.executable, "-c", WITH_PEAK, *command("out.parquet")[3:]], capture_output=True)
    assert done.returncode in (0, 20), done.stderr
    assert int(done.stderr.split()[-2]) <= PEAK
