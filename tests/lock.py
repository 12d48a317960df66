"""Write each tool's requirements.lock from its pyproject.toml: pinned, hashed, for every platform.

Run as ``make lock`` after changing dependencies. No address of a package index gets into a lock.
"""

import subprocess
import sys
from pathlib import Path

from registry.toolbox import Tool, find_tools, read_tool, repository

BACKEND = "flit_core==4.2.0\n"  # in every lock, so that installing our own packages fetches nothing


def lock(tool: Tool) -> None:
    """Write one lock, keeping the versions that it has where they still fit."""
    folders = [tool.folder, *tool.packages]
    sources = sorted({str(folder / "pyproject.toml") for folder in folders})
    flags = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate", "-q"]
    target = tool.folder / "requirements.lock"
    subprocess.run(
        ["uv", "pip", "compile", *flags, *sys.argv[1:], *sources, "-", "-o", str(target)],
        input=BACKEND,
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    root: Path = repository()
    for each in [*find_tools(root).values(), read_tool(root / "tests")]:
        lock(each)
