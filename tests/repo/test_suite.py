"""Every test belongs to one of make test, make test-all and make faults, and CI runs the first two."""

import itertools
import os
import re
import subprocess
import sys

import pytest
import yaml
from _pytest.mark.expression import Expression
from data_registry.clone import repository

ROOT = repository()
MARKERS = ("extended", "slow")
KINDS = {  # the kinds of test of which make test has one at least, and where
    "library": "unit/samples/test_encoding.py",
    "contract of the tools": "contract/test_every_tool.py",
    "journey on the host": "e2e/test_new.py",
    "journey in containers, with the real services": "integration/test_remote.py",
    "embedded database, and a kill of it": "integration/test_embedded.py",
    "page in a browser": "e2e/test_catalog.py",
    "foreign configuration of git": "unit/registry/test_git_world.py",
    "foreign shell": "worlds/test_shells.py",
    "foreign git, S3 and shell at once": "worlds/test_together.py",
    "kill of the fetcher": "faults/test_fetcher_sweep.py",
    "kill of the parquetizer, a table": "faults/test_parquetizer_sweep.py",
    "kill of the parquetizer, a folder": "faults/test_parquetizer_folders.py",
    "kill of stats": "faults/test_stats_output.py",
    "kill of the loader, and of its server": "faults/test_pgloader_kills.py",
    "kill of a release": "faults/test_release_sweep.py",
    "kill of a get": "unit/registry/test_get.py",
    "damaged store": "faults/test_corruptions.py",
    "damaged documents": "faults/test_foreign_readers.py",
}


def makefile() -> dict[str, str]:
    """Return the recipe of each target."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z-]+):.*\n\t(.*)\n", text, re.MULTILINE))


def selection(target: str) -> str:
    """Return the expression of markers with which a target calls pytest."""
    expressions: list[str] = re.findall(
        r'pytest \S+ -m "([^"]+)"', makefile()[target].replace("$(or $(PART),tests)", "tests")
    )
    assert len(expressions) == 1, target
    return expressions[0]


@pytest.mark.parametrize("marks", [*itertools.product([False, True], repeat=len(MARKERS))])
def test_every_combination_of_markers_belongs_to_one_target(marks: tuple[bool, ...]) -> None:
    carried = {name for name, is_carried in zip(MARKERS, marks, strict=True) if is_carried}

    def matches(name: str, /, **_: object) -> bool:
        return name in carried

    targets = [
        target for target in ("test", "test-all", "faults") if Expression.compile(selection(target)).evaluate(matches)
    ]
    assert len(targets) == 1, targets


def test_ci_runs_both() -> None:
    lines = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("make ")] == ["make test", "make test-all", "make demo"]


def test_github_runs_both_and_waits_for_every_part() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yaml").read_text(encoding="utf-8"))["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if step.get("run", "").startswith("make")]
    assert sorted(commands) == ["make demo", "make lint", "make test", "make test-all"]
    parts = " ".join(jobs["test-all"]["strategy"]["matrix"]["part"]).split()
    folders = {f"tests/{path.relative_to(ROOT / 'tests').parts[0]}" for path in ROOT.glob("tests/**/test_*.py")}
    assert sorted(parts) == sorted(folders)
    assert {*jobs["all"]["needs"]} == {*jobs} - {"all"}


def test_make_test_has_one_of_each_kind() -> None:
    paths = [f"tests/{path}" for path in KINDS.values()]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-m", selection("test"), *paths]
    known = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}  # -v lists in another form
    done = subprocess.run(command, cwd=ROOT, env=known, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    collected = {*re.findall(r"^(tests/\S+?\.py)::", done.stdout, re.MULTILINE)}
    assert sorted(collected) == sorted(paths)
