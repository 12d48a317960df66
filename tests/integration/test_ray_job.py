"""The RayJob of the embeddings, on a real head of Ray in chunk-embed's image, with the rights that its pod has."""

import json
import shutil
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import environ

pytestmark = [pytest.mark.docker, pytest.mark.slow]
DATASET = "opencloudhub-readmes-embeddings"
RELEASE = {"dataset": "opencloudhub-readmes", "version": "opencloudhub-readmes-v1.0.0", "logical_hash": "ab" * 32}
# As KubeRay starts the head of a cluster.
HEAD = "ray start --head --block --dashboard-host={dashboard-host} --dashboard-agent-listen-port=52365 --num-cpus=2"


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Path:
    """The dataset's folder, as the stage finds it, with some READMEs."""
    raw = tmp_path / "data" / "readmes" / "raw"
    raw.mkdir(parents=True)
    for number in range(20):
        parts = [
            f"## Part {part}\n\nProject {number} says {part} of many things, and no other does.\n" for part in range(5)
        ]
        (raw / f"project-{number}_README.md").write_text(f"# Project {number}\n\n" + "\n".join(parts))
    (raw.parent / "release.json").write_text(json.dumps(RELEASE))
    shutil.copy(root / "data" / DATASET / "params.yaml", tmp_path / "data")
    for path in (tmp_path / "data", tmp_path):
        path.chmod(0o777)
    return tmp_path / "data"


@pytest.fixture
def job(root: Path) -> dict[str, Any]:
    template = yaml.safe_load((root / "data" / DATASET / "workflow.yaml").read_text())
    (variant,) = [each for each in template["spec"]["templates"] if "resource" in each]
    found: dict[str, Any] = yaml.safe_load(variant["resource"]["manifest"])["spec"]
    return found


@pytest.fixture
def ask(job: dict[str, Any], folder: Path, images: dict[str, str]) -> Iterator[Callable[..., Any]]:
    """Ask the dashboard of a head that runs as the job has it."""
    group = job["rayClusterSpec"]["headGroupSpec"]
    spec = group["template"]["spec"]
    (container,) = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    account, name = spec["securityContext"], f"ray-{uuid.uuid4().hex[:8]}"
    command = ["docker", "run", "--rm", "-d", "--name", name, "--read-only", "--cap-drop", "ALL"]
    command += ["--security-opt", "no-new-privileges", "--shm-size", "256m", "-p", "127.0.0.1:0:8265"]
    command += ["--user", f"{account['runAsUser']}:{account['runAsGroup']}", "--tmpfs", "/tmp:mode=1777"]
    command += ["-v", f"{folder}:/data"]
    for variable in container["env"]:
        command += ["-e", f"{variable['name']}={variable['value']}"]
    started = HEAD.format(**group["rayStartParams"])
    command += ["--entrypoint", "/bin/bash", images["chunk-embed"], "-c", started]
    subprocess.run(command, check=True, capture_output=True)
    try:
        port = subprocess.run(
            ["docker", "port", name, "8265"], check=True, capture_output=True, text=True
        ).stdout.strip()

        def asked(path: str, said: object = None) -> Any:
            body = json.dumps(said).encode() if said is not None else None
            request = urllib.request.Request(f"http://{port}/api/{path}", body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read().decode()
                return json.loads(text) if text.startswith(("{", "[")) else text

        yield asked
    finally:
        subprocess.run(["docker", "rm", "-f", name], capture_output=True)


def until(done: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := done():
                return found
        except OSError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_a_ray_job_makes_the_bytes_that_a_pod_makes(
    root: Path, folder: Path, job: dict[str, Any], ask: Callable[..., Any], chunk_embed: Path
) -> None:
    until(lambda: ask("gcs_healthz") == "success", 60)
    submitted = ask("jobs/", {"entrypoint": job["entrypoint"]})["submission_id"]
    ended = until(lambda: (told := ask(f"jobs/{submitted}"))["status"] in {"SUCCEEDED", "FAILED"} and told, 180)
    said = ask(f"jobs/{submitted}/logs")["logs"]
    assert ended["status"] == "SUCCEEDED", said
    assert '"engine": "ray"' in said
    made = {name: (folder / name).read_bytes() for name in ("embeddings.parquet", "samples.parquet")}
    command = job["entrypoint"].split()[2:]
    here = environ(root, RUNTIME="host")
    subprocess.run([root / "tools/run", *command, "--no-cache"], cwd=folder, env=here, check=True, capture_output=True)
    assert {name: (folder / name).read_bytes() for name in made} == made
