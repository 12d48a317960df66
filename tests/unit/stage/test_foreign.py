"""Files that others wrote: regular ones only, and no descriptor is left open."""

import os
from pathlib import Path

import pytest
from stage.errors import CorruptFile
from stage.foreign import read_bytes


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "large"])
def test_what_is_no_small_file_is_refused_and_closed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes(bytes(11))
    before = os.listdir("/proc/self/fd")
    what = "is larger than 10 bytes" if kind == "large" else "is not a regular file"
    with pytest.raises(CorruptFile, match=what):
        read_bytes(path, 10)
    assert os.listdir("/proc/self/fd") == before


def test_a_file_of_just_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(10))
    assert read_bytes(tmp_path / "x", 10) == bytes(10)
