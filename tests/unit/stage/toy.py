"""A tool made of nothing but ``stage``, for its tests; ``python toy.py`` runs it."""

import dataclasses
import errno
import os
import sys
import time
from pathlib import Path
from unittest.mock import patch

import click
from stage import progress as stage_progress
from stage.command import Tool
from stage.errors import BadRows
from stage.options import params_file, settings
from stage.output import replacing, replacing_folder
from stage.params import build, section


@dataclasses.dataclass(frozen=True)
class Made:
    output: str
    rows: int


@dataclasses.dataclass(frozen=True)
class Plan:
    rows: int


FAILURES: dict[str, BaseException] = {
    "rows": BadRows("raw/train.csv line 31", "label is empty", "set drop-empty: true to skip such rows"),
    "two lines": BadRows("raw/train.csv", "first line\nsecond line", "read\nboth"),
    "full": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out.csv"),
    "quota": OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), "out.csv"),
    "too large": OSError(errno.EFBIG, os.strerror(errno.EFBIG), "out.csv"),
    "broken disk": OSError(errno.EIO, os.strerror(errno.EIO), "out.csv"),
    "full, unnamed": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "forbidden": PermissionError(errno.EACCES, os.strerror(errno.EACCES), "out.csv"),
    "not permitted": PermissionError(errno.EPERM, os.strerror(errno.EPERM), "out.csv"),
    "read-only": OSError(errno.EROFS, os.strerror(errno.EROFS), "out.csv"),
    "absent": FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "in.csv"),
    "absent, unnamed": FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)),
    "folder": IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), "out"),
    "no folder": NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), "out/x"),
    "memory": MemoryError(),
    "odd system error": OSError(errno.EBADF, os.strerror(errno.EBADF), "out.csv"),
    "bug": ZeroDivisionError("division by zero"),
    "interrupt": KeyboardInterrupt(),
}

tool = Tool("toy", help="Do what a test wants.")


@tool.command()
@click.argument("output")
@click.option("--rows", type=int, default=1, envvar="TOY_ROWS")
@settings("toy", "rows")
def make(output: str, rows: int) -> Made:
    """Return a result."""
    return Made(output, rows)


@tool.command()
@params_file("toy")
def plan(params: Path) -> Made:
    """Read a section into a dataclass."""
    return Made("plan", build(Plan, section(params, "toy"), f"{params} toy").rows)


@tool.command("break")
@click.argument("how")
def break_(how: str) -> Made:
    """Fail."""
    raise FAILURES[how]


@tool.command()
def nothing() -> None:
    """Return nothing."""


@tool.command()
@click.argument("folder", type=click.Path(path_type=Path))
def hold(folder: Path) -> None:
    """Begin a file and a folder, say so, and wait for ever."""
    with replacing(folder / "file") as [file], replacing_folder(folder / "files") as files:
        file.write_text("half")
        (files / "one").write_text("half")
        print("holding", file=sys.stderr, flush=True)
        time.sleep(60)


@tool.command()
@click.argument("every", type=float)
@click.argument("total", type=int, default=4)
@click.option("--label", default="counting")
def work(every: float, total: int, label: str) -> None:
    """Report progress."""
    with (
        patch.object(stage_progress, "INTERVAL", every),
        stage_progress.progress(label, total, "rows") as advance,
    ):
        for _ in range(4):
            advance(1)


if __name__ == "__main__":
    tool()
