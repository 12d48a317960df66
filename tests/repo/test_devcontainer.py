"""The dev container: pinned, with commands that exist, on the ports of the stack."""

import json
import re
from typing import Any

import pytest
from data_registry.clone import repository

ROOT = repository()
PINNED = re.compile(r"\d+\.\d+\.\d+")


@pytest.fixture(scope="module")
def container() -> dict[str, Any]:
    """The file, which may have lines of comment."""
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    return found


def test_image_and_features_are_pinned(container: dict[str, Any]) -> None:
    tag = container["image"].rpartition(":")[2]
    assert re.fullmatch(rf"{PINNED.pattern}-3\.11-\w+", tag), "a version, and the Python that tools/run needs"
    for name, options in container["features"].items():
        assert PINNED.fullmatch(name.rpartition(":")[2]), name
        assert all(PINNED.fullmatch(str(version)) for version in options.values()), name


def test_it_has_every_tool(container: dict[str, Any]) -> None:
    features = {name.rpartition("/")[2].partition(":")[0] for name in container["features"]}
    assert features == {"docker-in-docker", "kubectl-helm-minikube", "github-cli"}
    extensions = {name.partition(".")[2] for name in container["customizations"]["vscode"]["extensions"]}
    assert {"python", "ruff", "vscode-containers", "vscode-yaml", "dvc"} <= extensions


def test_it_ends_with_a_command_that_exists(container: dict[str, Any]) -> None:
    program, target = container["postCreateCommand"].split()
    assert program == "make" and f"\n{target}: " in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_its_ports_are_those_of_the_stack(container: dict[str, Any]) -> None:
    compose = "".join(path.read_text() for path in (ROOT / "compose").glob("*.yml"))
    published = {int(port) for port in re.findall(r"127\.0\.0\.1:\$\{\w+:-(\d+)\}:", compose)}
    assert set(container["forwardPorts"]) == published == {int(port) for port in container["portsAttributes"]}
