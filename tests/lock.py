"""Write each tool's requirements.lock from its pyproject.toml: pinned, hashed, for every platform.

Run as ``make lock`` after changing dependencies. No address of a package index gets into a lock.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

from data_registry.clone import repository
from launcher.toolbox import find_tools, read_tool


def lock(folder: Path, folders: list[Path], more: str = "") -> None:
    """Write the lock of what the folders declare, keeping the versions that it has where they still fit."""
    sources = sorted({str(folder / "pyproject.toml") for folder in folders})
    flags = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate", "-q"]
    target = folder / "requirements.lock"
    subprocess.run(
        ["uv", "pip", "compile", *flags, *sys.argv[1:], *sources, "-", "-o", str(target)],
        input=more,
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def backend(package: Path) -> str:
    """Return what builds a package: in the lock too, so that installing our own packages fetches nothing."""
    (requirement,) = (
        tomllib.loads((package / "pyproject.toml").read_text()).get("build-system", {}).get("requires", [""])
    )
    return str(requirement)


def main() -> None:
    root = repository()
    for tool in [*find_tools(root).values(), read_tool(root / "tests")]:
        # What it needs of another tool's dependencies, as the catalogue of the registry's, a tool declares itself.
        of_tools = set() if tool.name == "tests" else {other.folder for other in find_tools(root).values()}
        packages = [package for package in tool.packages if package not in of_tools]
        lock(tool.folder, [tool.folder, *packages], "\n".join(sorted({*map(backend, tool.packages)} - {""})))
    for project in sorted([*root.glob("compose/*/pyproject.toml"), *root.glob("tests/*/pyproject.toml")]):
        lock(project.parent, [project.parent])


if __name__ == "__main__":
    main()
