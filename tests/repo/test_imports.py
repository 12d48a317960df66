"""Imports form a tree: between the packages of tools/, and between the folders of each, in functions too."""

import ast
import graphlib
import itertools
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from data_registry.clone import repository

TOOLS = repository() / "tools"

# What each package may import; stages and shared packages know nothing of the registry.
ARROWS = {
    "stage": set(),
    "samples": set(),
    "launcher": {"data_registry"},
    "data_registry": set(),  # with stage and samples in it, by links
    "fetcher": {"stage"},
    "parquetizer": {"stage", "samples"},
    "stats": {"stage", "samples"},
    "chunk_embed": {"stage", "samples"},
    "pgloader": {"stage", "samples"},
    "registry": {"data_registry", "launcher"},
    "catalog": {"data_registry", "registry"},
    "cluster": {"data_registry", "registry", "launcher"},
}
STANDARD_LIBRARY_ALONE = {"data_registry.clone"}  # of the client, for the launcher


def modules() -> dict[str, Path]:
    """Return every module of tools/ by its dotted name; those behind links once, where they are."""
    found: dict[str, Path] = {}
    for package in sorted(path.parent for path in TOOLS.glob("*/*/__init__.py") if not path.parent.is_symlink()):
        for path in package.rglob("*.py"):
            if not any(folder.is_symlink() for folder in path.parents):
                name = ".".join(path.relative_to(package.parent).with_suffix("").parts)
                found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imported(name: str, path: Path) -> set[str]:
    """Return the modules of tools/ that a module imports, in function bodies too."""
    above = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = above[: len(above) + 1 - node.level] if node.level else []
            module = ".".join([*start, *filter(None, [node.module])])
            named = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for full in named:
            target = linked(full)
            while target and target not in MODULES:
                target = target.rpartition(".")[0]
            found.add(target)
    return found - {""}


def linked(name: str) -> str:
    """Return the name that a module behind a link of the client has where it is."""
    for package in ("stage", "samples"):
        if name == f"data_registry.{package}" or name.startswith(f"data_registry.{package}."):
            return name.removeprefix("data_registry.")
    return name


def folder_of(name: str) -> str:
    return str(MODULES[name].parent.relative_to(TOOLS))


@pytest.mark.parametrize("package", sorted(ARROWS))
def test_packages_import_only_what_is_declared(package: str) -> None:
    for name, path in MODULES.items():
        if name.partition(".")[0] != package:
            continue
        targets = {other.partition(".")[0] for other in imported(name, path)} - {package}
        through_links = {"stage", "samples"} if "data_registry" in ARROWS[package] | {package} else set()
        assert targets <= ARROWS[package] | through_links, f"{name} imports {targets - ARROWS[package]}"


def test_every_package_is_declared() -> None:
    assert {name.partition(".")[0] for name in MODULES} == set(ARROWS)


def test_what_goes_through_the_client_has_one_class_for_an_error() -> None:
    """The registry imports stage and samples from the client, so that an error is of one class."""
    for name, path in MODULES.items():
        if "data_registry" in ARROWS[name.partition(".")[0]]:
            for line in path.read_text(encoding="utf-8").splitlines():
                assert not line.strip().startswith(("from stage", "import stage", "from samples", "import samples")), (
                    name
                )


def test_the_launcher_uses_the_standard_library_alone() -> None:
    for name, path in MODULES.items():
        if name.partition(".")[0] == "launcher":
            assert {other for other in imported(name, path) if not other.startswith("launcher")} <= (
                STANDARD_LIBRARY_ALONE
            ), name


def test_folders_form_a_tree() -> None:
    arrows: dict[str, set[str]] = defaultdict(set)
    examples = {}
    for name, path in MODULES.items():
        for other in imported(name, path):
            here, there = folder_of(name), folder_of(other)
            # The package's own folder holds its command line and what all of its folders use.
            if here != there and not here.endswith(f"/{name.partition('.')[0]}"):
                arrows[here].add(there)
                examples[here, there] = f"{name} imports {other}"
    try:
        list(graphlib.TopologicalSorter(arrows).static_order())
    except graphlib.CycleError as error:
        cycle = error.args[1]
        steps = [examples.get((a, b)) or examples.get((b, a)) for a, b in itertools.pairwise(cycle)]
        pytest.fail(f"a cycle of folders: {' <- '.join(cycle)}: {'; '.join(filter(None, steps))}")


def test_modules_form_a_tree() -> None:
    """Within the folders too: no two modules import each other."""
    arrows = {name: imported(name, path) - {name} for name, path in MODULES.items() if path.name != "__init__.py"}
    list(graphlib.TopologicalSorter(arrows).static_order())


DISTRIBUTIONS = {
    "PIL": "pillow",
    "markdown_it": "markdown-it-py",
    "mlflow": "mlflow-skinny",
    "vl_convert": "vl-convert-python",
    "yaml": "pyyaml",
}


@pytest.mark.parametrize("tool", ["catalog", "cluster"])
def test_a_lock_has_what_the_modules_of_other_tools_need(tool: str) -> None:
    """Of the registry's dependencies, a tool that imports some of its modules declares only theirs."""
    waiting = [name for name in MODULES if name.partition(".")[0] == tool]
    closure: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in closure:
            closure.add(name)
            waiting += imported(name, MODULES[name])
    needed = {package for name in closure for package in third_party(MODULES[name])}
    lock = (TOOLS / tool / "requirements.lock").read_text(encoding="utf-8")
    missing = {package for package in needed if f"\n{package}==" not in f"\n{lock}" and f"\n{package}[" not in lock}
    assert not missing, "add it to the dependencies in pyproject.toml, and run: make lock"


def third_party(path: Path) -> set[str]:
    """Return the distributions that a module imports, in function bodies too."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    packages = {name.partition(".")[0] for name in names} - {*sys.stdlib_module_names} - {*ARROWS}
    return {DISTRIBUTIONS.get(package, package) for package in packages}
