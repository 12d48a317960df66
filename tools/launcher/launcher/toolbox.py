"""The tools of the repository: where they are, what they need, and the hash of what they are made of.

Standard library only, for ``tools/run`` works before anything is installed.
"""

import dataclasses
import hashlib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

IMAGE = "data-registry/{name}:src-{hash}"
VERSIONS = re.compile(r"^>=3\.([0-9]+),<3\.([0-9]+)$")


@dataclasses.dataclass(frozen=True)
class Tool:
    """A tool and the table ``tool.data-registry`` of its pyproject.toml."""

    name: str
    folder: Path
    shared: tuple[str, ...]  # packages of tools/ that are installed with it
    network: bool | tuple[str, ...]  # whether its container may use the network; NAME or NAME=VALUE: where that is set
    env: tuple[str, ...]  # the variables that reach it; "*" is all
    paths: tuple[str, ...]  # those of them that may name a file or folder
    database: bool  # whether it works on the vector index, which ENV=local starts for it
    minors: range = range(11, 15)  # of the versions of Python 3 that its environment may be of
    download: int = 0  # megabytes of packages at most; those that other tools have are there already
    platform: str = ""  # the only one that its lock has packages for, as ``Linux x86_64``; empty: any

    @property
    def in_container(self) -> bool:
        """Whether it is run in a container where there is an engine, and so may be a stage.

        One that gets all variables is not: it works on the clone, as the user. The image of cluster is for workflows.
        """
        return self.env != ("*",) and (self.folder / "Dockerfile").is_file()

    def may_reach(self, environ: Mapping[str, str]) -> bool:
        """Say whether its container may use the network, as the variables are."""
        if isinstance(self.network, bool):
            return self.network
        wanted = (entry.partition("=") for entry in self.network)
        return any(environ.get(name, "") == value if equals else name in environ for name, equals, value in wanted)

    @property
    def packages(self) -> list[Path]:
        """The folders to install: shared packages first, then the tool."""
        return [*((self.folder.parent / name).resolve() for name in self.shared), self.folder]

    def source_hash(self) -> str:
        """Return 12 hex digits over everything that decides what the tool does: code, lock, Dockerfile, shared code."""
        digest = hashlib.sha256()
        for path in sorted(path for folder in self.packages for path in _sources(folder)):
            # What git has of a link; without core.symlinks, a checkout has a file with that text in its place.
            content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
            digest.update(f"{path.relative_to(self.folder.parent).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()[:12]

    def image(self) -> str:
        """Return the name of the image that these sources make."""
        return IMAGE.format(name=self.name, hash=self.source_hash())


def find_tools(root: Path) -> dict[str, Tool]:
    """Return the tools of the repository by name."""
    names = sorted(path.parent.name for path in (root / "tools").glob("*/requirements.lock"))
    return {name: read_tool(root / "tools" / name) for name in names}


def with_tests(root: Path) -> dict[str, Tool]:
    """Return the tools of the repository, and its tests, which have an environment like theirs."""
    tests = root / "tests"
    return {**find_tools(root), **({"tests": read_tool(tests)} if (tests / "pyproject.toml").is_file() else {})}


def installer(root: Path) -> Tool:
    """Return uv, which makes the environments of the others, as a tool with a lock."""
    return Tool("uv", root / "tools" / "launcher" / "uv", (), True, (), (), False)


def read_tool(folder: Path) -> Tool:
    """Read one tool's folder."""
    document = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    table = document["tool"]["data-registry"]
    oldest, newest = map(int, VERSIONS.findall(document["project"]["requires-python"])[0])
    return Tool(
        name=folder.name,
        folder=folder,
        shared=tuple(table["shared"]),
        network=table["network"] if isinstance(table["network"], bool) else tuple(table["network"]),
        env=tuple(table["env"]),
        paths=tuple(table["paths"]),
        database=table.get("database", False),
        minors=range(oldest, newest),
        download=table.get("download", 0),
        platform=table.get("platform", ""),
    )


def _sources(folder: Path) -> list[Path]:
    packages = (path.parent for path in folder.glob("*/__init__.py"))
    listed = (path for package in packages for path in package.rglob("*"))
    files = [path for path in listed if (path.is_file() or path.is_symlink()) and "__pycache__" not in path.parts]
    named = [folder / name for name in ("pyproject.toml", "requirements.lock", "Dockerfile")]
    return files + [path for path in named if path.is_file()]
