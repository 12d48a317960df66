import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from unit.stats.tables import arguments, lay

PEAK = """
import pathlib, re, sys
from stats.cli import cli
try:
    cli(sys.argv[1:])
finally:  # not ru_maxrss, which begins with the size of the parent
    print(re.search("VmHWM: *\\t?(.*) kB", pathlib.Path("/proc/self/status").read_text())[1].strip(), file=sys.stderr)
"""


def test_a_million_rows_fit_in_320_megabytes(folder: Path):
    """A part of the manifest is sorted at a time, so ten million rows need no more."""
    chance = np.random.default_rng(0)
    columns = {f"x{number}": chance.normal(size=1_000_000) for number in range(8)}
    table = lay(folder, pa.table({**columns, "n": chance.integers(0, 9, 1_000_000)}), rows_of_group=1 << 17)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *arguments(table)], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout)["rows"] == 1_000_000
    assert int(done.stderr.splitlines()[-1]) <= 320_000
