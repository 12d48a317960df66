"""Whatever a raw file holds: its samples, all of them, or one line that says why not; never another error."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from unit.parquetizer.mutants import damaged
from unit.parquetizer.parsers import PARSERS, counted, prepare

PROGRAM = Path(__file__).with_name("parsers.py")
PEAK = 512 * 1024  # kB
drawn = settings(derandomize=True, database=None, deadline=None, suppress_health_check=[*HealthCheck])
SLOWEST = 1.0  # seconds of a core for a file of a few kilobytes


@pytest.mark.parametrize("name", PARSERS)
def test_any_file_is_read_whole_or_refused(name, here):
    parser = PARSERS[name]
    prepare()

    @settings(drawn, max_examples=1000)
    @given(data=damaged(parser.whole, parser.tokens))
    def read(data):
        counted(parser.read, data)

    read()


@pytest.mark.parametrize("name", PARSERS)
def test_what_is_read_is_written_and_what_is_refused_is_not(name, here):
    """Outputs are read back: as many samples as there are in the raw file."""
    parser = PARSERS[name]
    prepare()

    @settings(drawn, max_examples=60)
    @given(data=damaged(parser.whole, parser.tokens))
    def written(data):
        read, made = counted(parser.read, data), counted(parser.write, data)
        assert made in (None, read)

    written()


@pytest.mark.parametrize("name", [name for name in PARSERS if name != "jpeg"])
def test_a_whole_file_is_read(name, here):
    parser = PARSERS[name]
    prepare()
    assert all(counted(parser.read, data) for data in parser.whole)
    assert all(counted(parser.write, data) for data in parser.whole)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_a_hundred_thousand_files_are_read_whole_or_refused(name, capsys):
    read_many(name, 100_000, capsys)


@pytest.mark.extended
@pytest.mark.parametrize(
    "name", ["table", "bare table", "image", "audio", "json", "nested parquet", "arrow", "compressed", "archives"]
)
def test_ten_thousand_files_are_read_whole_or_refused(name, capsys):
    read_many(name, 10_000, capsys)


def read_many(name, number, capsys):
    """By dice, in a process of its own whose memory is limited."""
    command = [sys.executable, str(PROGRAM), name, str(number)]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    with capsys.disabled():
        print(f"\n{name}: {told}")
    assert told["examples"] == number
    assert 0.05 < told["whole"] / number < 0.95  # neither all nor none are refused
    assert told["slowest"] < SLOWEST
    assert told["peak"] < PEAK
