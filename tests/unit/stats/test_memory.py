import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_registry.clone import repository
from launcher.toolbox import find_tools
from launcher.virtualenvs import virtualenv
from unit.stats import data_sets
from unit.stats.tables import arguments, describe, lay

PEAK = """
import pathlib, re, sys
from stats.cli import cli
try:
    cli(sys.argv[1:])
finally:  # not ru_maxrss, which begins with the size of the parent
    print(re.search("VmHWM: *\\t?(.*) kB", pathlib.Path("/proc/self/status").read_text())[1].strip(), file=sys.stderr)
"""


def peak(*argv: str) -> tuple[int, int]:
    """Run the tool; return the samples that it found and the most memory it took, in kB."""
    done = run(*argv)
    done.check_returncode()
    return json.loads(done.stdout)["rows"], int(done.stderr.splitlines()[-1])


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run the tool in its own environment: in the tests' pyarrow imports pandas, which takes 40 MB."""
    tool = find_tools(repository())["stats"]
    python = virtualenv(tool, repository()) / "bin" / "python"
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, tool.packages))}
    return subprocess.run([python, "-c", PEAK, *argv], env=known, capture_output=True, text=True)


@pytest.mark.extended
def test_a_million_rows_fit_in_320_megabytes(folder: Path):
    """A part of the manifest is sorted at a time, so ten million rows need no more."""
    chance = np.random.default_rng(0)
    columns = {f"x{number}": chance.normal(size=1_000_000) for number in range(8)}
    table = lay(folder, pa.table({**columns, "n": chance.integers(0, 9, 1_000_000)}), rows_of_group=1 << 17)
    rows, memory = peak(*arguments(table))
    assert rows == 1_000_000
    assert memory <= 320_000, memory


@pytest.mark.extended
def test_images_of_many_megabytes_fit_in_200_megabytes(folder: Path):
    """120 MB of them."""
    column = pa.array(np.random.default_rng(0).integers(0, 256, 30_000 * 64 * 64, np.uint8))
    for size in (64, 64):
        column = pa.ListArray.from_arrays(pa.array(np.arange(0, len(column) + 1, size, dtype=np.int32)), column)
    table = pa.table([column, pa.array(np.arange(30_000) % 3, pa.uint8())], schema=data_sets.IMAGE)
    data_sets.parquet("train").parent.mkdir(parents=True)
    pq.write_table(table, data_sets.parquet("train"), compression="none", use_dictionary=False, row_group_size=1024)
    data_sets.sign(data_sets.IMAGE, [("train", data_sets.parquet("train").as_posix(), table)], ["image"])
    data_sets.describe(columns=[{**data_sets.IMAGE_COLUMNS[0], "shape": [64, 64]}, data_sets.IMAGE_COLUMNS[1]])
    rows, memory = peak(*data_sets.arguments("images"))
    assert rows == 30_000
    assert memory <= 200_000, memory


def test_a_column_costs_no_table_of_its_own(folder: Path):
    """A count of every digit would be half a megabyte a column."""

    def used(columns: int) -> int:
        return peak(*arguments(lay(folder, pa.table({f"c{number}": [number, 7] for number in range(columns)}))))[1]

    assert used(2000) - used(200) < 100_000


@pytest.mark.slow
def test_a_wide_table_fits_in_256_megabytes(folder: Path):
    """Parquet takes room for each column that is read: 64 MB of values, in one row group."""
    chance = np.random.default_rng(0)
    table = pa.table({f"c{number}": chance.normal(size=4000) for number in range(2000)})
    rows, memory = peak(*arguments(lay(folder, table, rows_of_group=1 << 17)))
    assert rows == 4000
    assert memory <= 256_000, memory


@pytest.mark.slow
def test_images_larger_than_declared_are_refused_in_little_memory(folder: Path):
    """A file of kilobytes, for they are all black: 8 images of 36 million pixels, of which one is read."""
    column = pa.array(np.zeros(6000 * 6000, np.uint8))
    column = pa.ListArray.from_arrays(pa.array(np.arange(0, len(column) + 1, 6000, dtype=np.int32)), column)
    column = pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column)
    table = pa.table([column, pa.array([1], pa.uint8())], schema=data_sets.IMAGE)
    data_sets.lay_images({"train": [(data_sets.pixels(number), 1) for number in range(8)]})
    pq.write_table(pa.concat_tables([table] * 8), data_sets.parquet("train"))
    data_sets.resign()
    done = run(*data_sets.arguments("images"))
    error, *_, memory = done.stderr.splitlines()
    assert done.returncode == 22 and "expected images of shape (2, 3)" in error
    assert int(memory) <= 512_000, memory


@pytest.mark.extended
@pytest.mark.parametrize(("rows_of_group", "limit"), [(500, 290_000), (4000, 480_000)])
def test_files_of_many_megabytes_take_the_memory_of_a_row_group(folder: Path, rows_of_group: int, limit: int):
    """120 MB of them: in row groups of 15 MB, as the parquetizer writes them, and in one."""
    noise = np.random.default_rng(0).integers(0, 256, 4000 * 30_000, np.uint8)
    offsets = pa.array(np.arange(4001, dtype=np.int32) * 30_000)
    data = pa.BinaryArray.from_buffers(pa.binary(), 4000, [None, offsets.buffers()[1], pa.py_buffer(noise)])
    files = pa.StructArray.from_arrays([data, pa.repeat("a.png", 4000)], ["bytes", "path"])
    table = lay(folder, pa.table({"file": files}), rows_of_group=rows_of_group)
    describe(folder, [("file", "image")])
    rows, memory = peak(*arguments(table))
    assert rows == 4000
    assert memory <= limit, memory
