"""A signal at any moment of a run: its own exit code, one line, and no output by halves (D6)."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from unit.parquetizer.tables import AB, write_params, write_raw

PROGRAM = "import sys; sys.argv[0] = 'parquetizer'; from parquetizer.cli import cli; print('begun', flush=True); cli()"
LINES = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}
ROWS = 300_000
FINE = [part / 20 for part in range(1, 20)]  # of the time that a whole run takes


def handled() -> None:
    """Let SIGINT be what it is at a keyboard: a shell may have handed down an ignored one."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def begun(output: str) -> subprocess.Popen[str]:
    """Start a run over the raw files, and wait until its libraries are loaded."""
    command = [sys.executable, "-c", PROGRAM, "table", "raw", output, "samples.parquet", "--params", "params.yaml"]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=handled)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    return process


@pytest.mark.parametrize(
    ("output", "moments", "number"),
    [
        ("out.parquet", [0.2, 0.45], signal.SIGINT),
        ("out.csv", [0.2, 0.45], signal.SIGTERM),
        *(
            pytest.param(output, FINE, number, marks=pytest.mark.slow)
            for output in ("out.parquet", "out.csv")
            for number in LINES
        ),
    ],
)
def test_a_signal_ends_a_run_in_one_line(output, moments, number):
    write_params(AB)
    write_raw("a,b\n" + "".join(f"text x{row},{row}\n" for row in range(ROWS)))
    start = time.monotonic()
    assert begun(output).communicate()[1] == ""
    whole = time.monotonic() - start
    interrupted = 0
    for moment in moments:
        for path in (Path(output), Path("samples.parquet")):
            path.unlink(missing_ok=True)
        process = begun(output)
        time.sleep(moment * whole * 0.8)
        process.send_signal(number)
        _, error = process.communicate()
        if process.returncode == -number:  # Python was on its way out
            assert Path(output).exists() and Path("samples.parquet").exists() and not error
        elif process.returncode:
            code, word = LINES[number]
            assert (process.returncode, error.strip()) == (code, f"error: parquetizer: {word}; fix: run it again")
            interrupted += 1
        assert not [path for path in Path().iterdir() if ".tmp" in path.name]
    assert interrupted
