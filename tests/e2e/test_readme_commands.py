"""The commands of README.md run as they stand, in the world of make demo."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from conftest import environ
from e2e.conftest import Demo

pytestmark = pytest.mark.extended

# Those that need Docker, a cluster, torch or another network, and those that other tests run: demo, test, the index.
ELSEWHERE = re.compile(
    r"ENV=|FETCH_MIRROR=|minikube|docker|export|readmes|make (?:demo|test|switch|search|images|catalog-serve)"
)
COMMAND = re.compile(r"^ {4}((?:make|dvc) .*?)(?: +# .*)?$", re.MULTILINE)


def test_commands_of_the_readme_run(demo: Demo, root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    commands = [command for command in dict.fromkeys(COMMAND.findall(text)) if not ELSEWHERE.search(command)]
    assert len(commands) >= 12
    reviews = demo.clone / ".demo/repo/reviews.csv"  # of which a dataset is made
    for command in commands:
        if "FROM=reviews.csv" in command:  # not before, for a release wants a clean clone
            reviews.write_text("stars,text\n5,good\n1,bad\n")
        # Without sources of its own, each dataset is built from its sample; the tools' environments are there.
        done = subprocess.run(
            shlex.split(command),
            cwd=demo.clone / ".demo/repo",
            env=environ(root, SOURCE="upstream"),
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, (command, done.stderr)
    reviews.unlink()
