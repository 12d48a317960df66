"""The prompts of the datasets in the stack's MLflow, as docker compose up infra leaves them."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.stack import Stack
from registry.services.prompts import find_prompts
from registry.services.tracking import connected

pytestmark = [pytest.mark.extended, pytest.mark.docker]

# What consumers run: no variables of ours but the address.
CONSUMER = "import sys, mlflow; print(mlflow.genai.load_prompt(sys.argv[1]).template, end='')"


def registry(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["tools/run", "registry", *arguments]
    return subprocess.run(command, cwd=stack.root, env=stack.environ, text=True, capture_output=True)


def docker_log(container: str) -> str:
    return subprocess.run(["docker", "logs", container], text=True, capture_output=True, check=True).stderr


def texts(stack: Stack, name: str) -> dict[int, Any]:
    with connected(stack.mlflow) as client:
        return {each.version: each.template for each in client.search_prompt_versions(name)}


@pytest.fixture
def another_text(stack: Stack, root: Path) -> Iterator[str]:
    """The name of a prompt of which MLflow has another text than git; afterwards it has ours again."""
    name = "readme-rag-prompt"
    with connected(stack.mlflow) as client:
        client.delete_prompt(name)
        client.register_prompt(name, "Registered by a consumer.")
    yield name
    with connected(stack.mlflow) as client:
        client.delete_prompt(name)
    assert registry(stack, "prompts").returncode == 0


def test_every_version_of_every_prompt_is_registered(stack: Stack, root: Path) -> None:
    prompts = find_prompts(root)
    assert {"radiology-vlm-prompt", "readme-rag-prompt"} <= {prompt.name for prompt in prompts}
    for prompt in prompts:
        assert texts(stack, prompt.name) == dict(enumerate(prompt.texts, 1))
        said = f"{prompt.name}: {len(prompt.texts)} of {len(prompt.texts)} versions in "
        assert said in stack.compose("logs", "prompts").stdout


def test_a_consumer_loads_the_prompt_by_its_uri(stack: Stack, root: Path) -> None:
    command = [sys.executable, "-c", CONSUMER, "prompts:/radiology-vlm-prompt/3"]
    loaded = subprocess.run(command, env=stack.environ, capture_output=True, check=True)
    assert loaded.stdout == (root / "data/roco-radiology/prompts/radiology-vlm-prompt/3.txt").read_bytes()


def test_registering_again_changes_nothing_in_compose_and_on_the_host(stack: Stack, root: Path) -> None:
    before = {prompt.name: texts(stack, prompt.name) for prompt in find_prompts(root)}
    stack.up()
    ran = registry(stack, "prompts")
    assert ran.returncode == 0, ran.stderr
    assert f"radiology-vlm-prompt: 3 of 3 versions in {stack.mlflow}, 0 registered\n" in ran.stdout
    assert {prompt.name: texts(stack, prompt.name) for prompt in find_prompts(root)} == before


def test_where_mlflow_has_another_text_the_stack_comes_up_and_says_so(stack: Stack, another_text: str) -> None:
    up = stack.compose("up", "infra")
    assert "Everything is up" in up.stdout
    assert re.search(r'optional dependency \\?"prompts\\?" didn.t complete successfully: exit 43', up.stderr)
    said = docker_log(stack.container("prompts")).splitlines()[-1]
    assert said == (
        "error: prompts:/readme-rag-prompt/1: http://mlflow:5000 has another text than "
        "data/opencloudhub-readmes-rag-evaluation/prompts/readme-rag-prompt/1.txt; no version of this prompt was "
        "registered; fix: ENV=docker make prompts PIN=readme-rag-prompt/1 copies that text; add yours as a new version"
    )
    assert texts(stack, another_text) == {1: "Registered by a consumer."}
    ran = registry(stack, "prompts")
    assert ran.returncode == 43 and ran.stderr.splitlines()[-1] == said.replace("http://mlflow:5000", stack.mlflow)


def test_a_version_that_the_stack_lacks_is_named(stack: Stack) -> None:
    ran = registry(stack, "prompts", "--pin", "radiology-vlm-prompt/9")
    assert ran.returncode == 10
    assert ran.stderr == (
        f"error: prompts:/radiology-vlm-prompt/9: version not found in {stack.mlflow}; fix: use one of: 1, 2, 3\n"
    )
