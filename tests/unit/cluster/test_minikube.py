"""make minikube-apply, -forward and -smoke: the real kubectl, and what stands in for a cluster."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cluster.minikube.forwards import DEFAULTS
from cluster.minikube.install import SECRETS
from conftest import environ, make_clone
from launcher.images import read_images, refresh_images
from launcher.toolbox import find_tools
from unit.cluster.api_server import Cluster, make_programs
from unit.registry.tiny import make_registry

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

SERVICE = {"apiVersion": "v1", "kind": "Service", "spec": {"selector": {"app": "x"}, "ports": [{"port": 80}]}}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "one", "labels": {"app": "x"}},
    "spec": {"containers": [{"name": "main", "ports": [{"containerPort": 80}]}]},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster().running() as made:
        yield made


@pytest.fixture(scope="module")
def clone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    clone = make_clone(root, tmp_path_factory.mktemp("minikube") / "clone")
    refresh_images(clone)  # whoever works on a tool has a test of its own for that
    # Makes the tool's environment where there is none, and says so: once, and before the tests look at what is said.
    subprocess.run(["tools/run", "cluster", "--help"], cwd=clone, env=environ(root), capture_output=True, check=True)
    return clone


@pytest.fixture
def known(root: Path, cluster: Cluster, tmp_path: Path) -> dict[str, str]:
    """The environment of a person whose minikube is running, and has no image."""
    programs = make_programs(tmp_path / "bin")
    path = f"{programs}:{os.environ['PATH']}"
    dropped = {name for name in os.environ if name.startswith(("MINIKUBE_", "KUBE"))}
    made = environ(root, PATH=path, KUBECONFIG=str(cluster.kubeconfig(tmp_path)), RUNTIME="host")
    return {name: value for name, value in made.items() if name not in dropped}


def make(clone: Path, known: dict[str, str], target: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", f"minikube-{target}"]
    return subprocess.run(command, cwd=clone, env={**known, **variables}, text=True, capture_output=True)


def refusal(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line that a failure says, before make adds its own."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make: ")]
    assert len(lines) == 1 and done.stdout == "", done.stdout + done.stderr
    assert f"Error {code}" in done.stderr
    return lines[0]


def requests(cluster: Cluster) -> list[str]:
    """The requests but for the version, by which Google's kubectl chooses another one."""
    return [each for each in cluster.seen if each != "GET /version"]


@pytest.mark.extended
def test_apply_installs_everything_and_says_what_is_missing(
    clone: Path, cluster: Cluster, known: dict[str, str], tmp_path: Path
) -> None:
    done = make(clone, known, "apply")
    assert done.returncode == 0, done.stderr
    names = sorted(path.parent.name for path in clone.glob("data/*/workflow.yaml"))
    assert names and [cluster.named("WorkflowTemplate", f"data-{name}")["metadata"]["name"] for name in names]
    assert cluster.kinds() >= {"Namespace", "ServiceAccount", "Role", "RoleBinding", "NetworkPolicy", "ConfigMap"}
    pins = cluster.named("ConfigMap", "registry-images")
    assert pins["metadata"]["labels"]["workflows.argoproj.io/configmap-type"] == "Parameter"
    named = re.findall(
        r"name: registry-images\n +key: (\S+)", "".join(map(Path.read_text, clone.glob("data/*/workflow.yaml")))
    )
    assert named and set(named) <= set(pins["data"])
    images = [*read_images(clone).values(), find_tools(clone)["cluster"].image()]
    assert sorted(pins["data"].values()) == sorted(images)
    there = (tmp_path / "bin" / "images.txt").read_text().split()
    assert sorted(there) == sorted(f"docker.io/{image}" for image in images)
    lines = done.stdout.splitlines()
    assert lines[0] == f"minikube: {len(names)} templates applied; {len(images)} of {len(images)} images loaded"
    assert lines[1:] == [f"secret {each.name} is missing; create it: {each.command}" for each in SECRETS]


@pytest.mark.extended
def test_apply_again_changes_nothing(clone: Path, cluster: Cluster, known: dict[str, str], tmp_path: Path) -> None:
    assert make(clone, known, "apply").returncode == 0
    for each in SECRETS:
        data = dict.fromkeys(each.keys, "c2VjcmV0")
        cluster.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": each.name}, "data": data}, "secrets")
    before = len(cluster.changes())
    again = make(clone, known, "apply")
    assert again.returncode == 0 and cluster.changes()[before:] == []
    assert f"0 of {len(read_images(clone)) + 1} images loaded\nno secret is missing" in again.stdout
    assert "c2VjcmV0" not in again.stdout + again.stderr and "secret\n" not in again.stdout
    loads = (tmp_path / "bin" / "images.log").read_text()
    assert loads.count("image load") == len(read_images(clone)) + 1


@pytest.mark.extended
def test_a_secret_that_lacks_a_key_is_named(clone: Path, cluster: Cluster, known: dict[str, str]) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "registry-s3"}}
    cluster.put({**secret, "data": {"AWS_ACCESS_KEY_ID": "eA=="}}, "secrets")
    listed = make(clone, known, "apply").stdout
    assert "secret registry-s3 lacks AWS_SECRET_ACCESS_KEY; delete it, then create it: kubectl create secret" in listed


@pytest.mark.extended
def test_images_of_earlier_tools_stay(clone: Path, cluster: Cluster, known: dict[str, str]) -> None:
    """A workflow that has begun takes its images from there."""
    data = {"fetcher.src-000000000000": "data-registry/fetcher:src-000000000000"}
    cluster.put(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "registry-images"}, "data": data}, "configmaps"
    )
    assert make(clone, known, "apply").returncode == 0
    assert data.items() < cluster.named("ConfigMap", "registry-images")["data"].items()


@pytest.mark.extended
def test_a_cluster_that_pulls_from_a_registry_is_given_digests(
    clone: Path, cluster: Cluster, known: dict[str, str], tmp_path: Path
) -> None:
    done = make(clone, known, "apply", IMAGE_REGISTRY="ghcr.io/opencloudhub/data-registry")
    assert done.returncode == 0 and "; 0 of 6 images loaded\n" in done.stdout, done.stderr
    pins = cluster.named("ConfigMap", "registry-images")["data"]
    place = re.compile(r"ghcr\.io/opencloudhub/data-registry/[a-z-]+@sha256:0{64}")
    assert pins and all(place.fullmatch(each) for each in pins.values())
    assert not (tmp_path / "bin" / "images.log").exists()


@pytest.mark.parametrize(
    ("target", "current", "what"),
    [
        ("apply", "prod", "expected the context minikube, got prod"),
        ("apply", "", "no current context"),
        ("forward", "prod", "expected the context minikube, got prod"),
        ("smoke", "prod", "expected the context minikube, got prod"),
    ],
)
def test_another_context_is_refused_and_nothing_is_sent(
    target: str, current: str, what: str, clone: Path, cluster: Cluster, known: dict[str, str], tmp_path: Path
) -> None:
    cluster.kubeconfig(tmp_path, current)
    line = refusal(make(clone, known, target), 2)
    assert line == (
        f"error: kubectl: {what}; fix: kubectl config use-context minikube, "
        f"or set KUBE_CONTEXT={current or 'NAME'} to use another cluster"
    )
    assert requests(cluster) == [] and not (tmp_path / "bin" / "images.log").exists()


def test_a_context_that_is_named_is_used_whatever_is_current(
    clone: Path, cluster: Cluster, known: dict[str, str], tmp_path: Path
) -> None:
    with Cluster().running() as other:
        config = yaml.safe_load(cluster.kubeconfig(tmp_path).read_text())
        config["clusters"][1]["cluster"]["server"] = other.url
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        done = make(clone, known, "apply", KUBE_CONTEXT="prod")
        assert done.returncode == 0 and done.stdout.startswith("prod: "), done.stderr
        assert requests(cluster) == [] and other.changes()
    assert "--profile=prod image load" in (tmp_path / "bin" / "images.log").read_text()
    refused = refusal(make(clone, known, "apply", KUBE_CONTEXT="nowhere"), 13)
    assert 'context "nowhere" does not exist' in refused


def test_a_cluster_without_argo_is_refused_before_anything_changes(
    clone: Path, known: dict[str, str], tmp_path: Path
) -> None:
    with Cluster(has_argo=False).running() as bare:
        bare.kubeconfig(tmp_path)
        line = refusal(make(clone, known, "apply"), 10)
        assert line == (
            "error: minikube: Argo Workflows is not installed; fix: install it as in compose/argo/README.md"
        )
        assert bare.changes() == []


def test_a_cluster_that_does_not_answer_is_the_networks_fault(
    clone: Path, cluster: Cluster, known: dict[str, str], tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        cluster.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        cluster.kubeconfig(tmp_path)
        assert refusal(make(clone, known, "apply"), 12).startswith("error: cluster: ")


def test_minikube_that_fails_says_why(clone: Path, cluster: Cluster, known: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "bin" / "minikube").write_text("#!/bin/sh\necho '* Profile \"minikube\" not found.' >&2\nexit 85\n")
    line = refusal(make(clone, known, "apply"), 40)
    assert line == (
        'error: minikube image: * Profile "minikube" not found; fix: minikube start --profile=minikube, '
        "or set IMAGE_REGISTRY to a registry that the cluster pulls from"
    )
    assert cluster.changes() == []


@pytest.mark.parametrize(
    ("ending", "code", "last"), [(signal.SIGINT, 0, "stopped\n"), (signal.SIGTERM, 143, "")], ids=["ctrl-c", "kill"]
)
def test_forward_leads_to_every_service_and_leaves_nothing_behind(
    ending: signal.Signals, code: int, last: str, clone: Path, cluster: Cluster, known: dict[str, str]
) -> None:
    ports = add_services(cluster)
    variables = {f"MINIKUBE_{name.upper()}_PORT": port for name, port in ports.items()}
    command = [str(clone / "tools/run"), "cluster", "minikube", "forward"]
    running = subprocess.Popen(
        command,
        cwd=clone,
        env={**known, **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a shell's background jobs ignore
    )
    assert running.stdout is not None
    lines = [running.stdout.readline() for _ in range(4)]
    assert lines[:3] == [f"localhost:{ports[name]} -> {name} ({DEFAULTS[name][0]})\n" for name in DEFAULTS]
    for port in ports.values():
        socket.create_connection(("127.0.0.1", int(port)), timeout=5).close()
    running.send_signal(ending)
    rest, errors = running.communicate(timeout=20)
    assert (running.returncode, rest) == (code, last), errors
    for port in ports.values():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(port)), timeout=5)
    assert cluster.changes() == []


def add_services(cluster: Cluster) -> dict[str, str]:
    """Let the services of the defaults be there, and return free ports for them."""
    for service, _ in DEFAULTS.values():
        namespace, name = re.split("[/:]", service)[:2]
        port = int(service.rpartition(":")[2])
        spec = {"selector": {"app": "x"}, "ports": [{"port": port, "targetPort": 80}]}
        cluster.put(
            {**SERVICE, "metadata": {"name": name, "namespace": namespace}, "spec": spec}, "services", namespace
        )
        cluster.put({**POD, "metadata": {**POD["metadata"], "namespace": namespace}}, "pods", namespace)  # type: ignore[dict-item]
    sockets = [socket.socket() for _ in DEFAULTS]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return dict(zip(DEFAULTS, ports, strict=True))


def test_forward_to_a_service_that_is_not_there(clone: Path, cluster: Cluster, known: dict[str, str]) -> None:
    done = make(clone, known, "forward", MINIKUBE_MINIO_SERVICE="elsewhere/minio:9000")
    assert done.returncode == 2 and "Error 12" in done.stderr and done.stdout == ""
    assert (
        "error: elsewhere/minio:9000: kubectl port-forward failed with exit 1; fix: see its error above; "
        "MINIKUBE_MINIO_SERVICE sets another service"
    ) in done.stderr
    assert 'namespaces "elsewhere" not found' in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        (
            "MINIKUBE_MLFLOW_SERVICE",
            "mlflow",
            "error: MINIKUBE_MLFLOW_SERVICE: invalid service: 'mlflow'; "
            "fix: use namespace/name:port, such as mlops/mlflow:80",
        ),
        (
            "MINIKUBE_MINIO_SERVICE",
            "--kubeconfig=x/y:1",
            "error: MINIKUBE_MINIO_SERVICE: invalid service: '--kubeconfig=x/y:1'; "
            "fix: use namespace/name:port, such as minio-tenant/minio:80",
        ),
        (
            "MINIKUBE_MINIO_PORT",
            "http",
            "error: MINIKUBE_MINIO_PORT: invalid port: 'http'; fix: use a number, such as 19000",
        ),
    ],
)
def test_forward_refuses_nonsense(
    variable: str, value: str, line: str, clone: Path, cluster: Cluster, known: dict[str, str]
) -> None:
    assert refusal(make(clone, known, "forward", **{variable: value}), 2) == line
    assert requests(cluster) == []


TAG = "wine-quality-v1.0.0"


def finished(phase: str, tag: str = "", outcome: str = "released") -> dict[str, object]:
    published = {"type": "Pod", "templateName": "publish", "phase": phase}
    parameters = [{"name": "tag", "value": tag}, {"name": "outcome", "value": outcome}]
    outputs = {"parameters": parameters} if tag else {"exitCode": "42"}
    return {"phase": phase, "nodes": {"1": {**published, "outputs": outputs, "message": "Error (exit code 42)"}}}


@pytest.fixture(scope="module")
def released(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny dataset of that name, released to a folder; return its clone."""
    clone = make_registry(tmp_path_factory.mktemp("released"), ["wine-quality"])
    program = [str(Path(sys.executable).parent / "registry"), "release", "wine-quality", "--version", "1.0.0"]
    subprocess.run(program, cwd=clone, env=environ(root), check=True, capture_output=True)
    return clone


def smoke(clone: Path, known: dict[str, str], cluster: Cluster) -> subprocess.CompletedProcess[str]:
    data = {"REPO_URL": (clone.parent / "origin.git").as_uri()}
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "registry-settings"}, "data": data}
    cluster.put(settings, "configmaps")
    program = [str(Path(sys.executable).parent / "cluster"), "minikube", "smoke", "--pause", "0.1", "--patience", "1"]
    chosen = {**known, "DVC_REMOTE": "local"}
    return subprocess.run(program, cwd=clone, env=chosen, text=True, capture_output=True)


@pytest.mark.parametrize(
    ("tag", "outcome", "became"),
    [
        (TAG, "released", f"released {TAG}"),
        (TAG, "already released", f"no changes, the last release is {TAG}"),
        ("", "", f"no changes, the last release is {TAG}"),
    ],
)
def test_smoke_runs_the_pipeline_and_reads_the_release_back(
    tag: str, outcome: str, became: str, released: Path, cluster: Cluster, known: dict[str, str]
) -> None:
    cluster.script["wine-quality"] = [{"phase": "Running"}, finished("Succeeded", tag, outcome)]
    done = smoke(released, known, cluster)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"data-wine-quality-00000: {became}; verified on local\n"
    (created,) = cluster.changes()
    assert created == "POST /apis/argoproj.io/v1alpha1/namespaces/data-registry/workflows"
    spec = cluster.named("Workflow", "data-wine-quality-00000")["spec"]
    assert spec["workflowTemplateRef"] == {"name": "data-wine-quality"}
    assert {"name": "force", "value": "false"} in spec["arguments"]["parameters"]


def test_smoke_fails_where_the_workflow_fails(released: Path, cluster: Cluster, known: dict[str, str]) -> None:
    cluster.script["wine-quality"] = [finished("Failed")]
    done = smoke(released, known, cluster)
    assert done.returncode == 42 and done.stdout == ""
    assert "error: wine-quality publish: Failed: Error (exit code 42)" in done.stderr


def test_smoke_fails_where_a_byte_is_wrong(
    released: Path, cluster: Cluster, known: dict[str, str], tmp_path: Path
) -> None:
    world = Path(shutil.copytree(released.parent, tmp_path / "world", symlinks=True))
    lock = yaml.safe_load((world / "clone/data/wine-quality/dvc.lock").read_text())
    md5 = next(out["md5"] for out in lock["stages"]["make"]["outs"] if out["path"] == "processed/data.csv")
    damaged = world / "store" / "files" / "md5" / md5[:2] / md5[2:]
    damaged.chmod(0o644)
    damaged.write_text("other bytes")
    cluster.script["wine-quality"] = [finished("Succeeded", TAG)]
    done = smoke(world / "clone", known, cluster)
    assert done.returncode == 42 and done.stdout == ""
    assert f"error: {TAG} data/wine-quality/processed/data.csv: object {md5} is damaged on local" in done.stderr


def test_smoke_says_so_where_nothing_is_installed(released: Path, cluster: Cluster, known: dict[str, str]) -> None:
    program = [str(Path(sys.executable).parent / "cluster"), "minikube", "smoke"]
    done = subprocess.run(program, cwd=released, env=known, text=True, capture_output=True)
    assert done.returncode == 10 and cluster.changes() == []
    assert done.stderr == "error: minikube: ConfigMap registry-settings not found; fix: make minikube-apply\n"


def test_the_readme_has_these_commands_and_one_that_submits(
    root: Path, clone: Path, cluster: Cluster, known: dict[str, str]
) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    for target in ("apply", "forward", "smoke"):
        assert f"\n    make minikube-{target}\n" in text
    (command,) = re.findall(r"^    (.* cluster submit .*)$", text, re.MULTILINE)
    cluster.script["emotion"] = [finished("Succeeded", "emotion-v1.1.0")]
    done = subprocess.run(command, shell=True, cwd=clone, env=known, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert cluster.named("Workflow", "data-emotion-00000") and "emotion-v1.1.0" in done.stdout


def test_the_commands_of_its_own_readme_work(
    root: Path, cluster: Cluster, known: dict[str, str], tmp_path: Path
) -> None:
    text = (root / "compose" / "argo" / "README.md").read_text(encoding="utf-8")
    for name in ("s3.env", "database.env", "key", "known_hosts"):
        (tmp_path / name).write_text("NAME=value\n")
    cluster.put({**POD, "metadata": {"name": "one", "labels": {"workflows.argoproj.io/workflow": "NAME"}}}, "pods")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "registry-s3"}}
    cluster.put(secret, "secrets")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "workflow-controller-configmap"}}
    cluster.put(config, "configmaps", "argo")
    assert len(lines) == 12
    for line in lines:
        changed = line.replace("kubectl create secret", "kubectl create --dry-run=client secret")
        changed = changed.replace("kubectl replace", "kubectl replace --validate=false")  # nobody has schemas here
        changed = changed.replace("compose/argo/", f"{root}/compose/argo/")
        done = subprocess.run(changed, shell=True, cwd=tmp_path, env=known, text=True, capture_output=True)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    token = "POST serviceaccounts/registry-submit/token"
    written = ["PATCH configmaps/workflow-controller-configmap", "PUT secrets/registry-s3", token]
    assert [re.sub(r"/api/v1/namespaces/[a-z-]+/", "", each) for each in cluster.changes()] == written
    assert "drop" in cluster.named("ConfigMap", "workflow-controller-configmap")["data"]["executor"]
    made = yaml.safe_load((tmp_path / "kubeconfig.github").read_text())
    assert made["users"] == [{"name": "registry-submit", "user": {"token": "a-token"}}], "nobody else's"
    assert made["contexts"][0]["context"]["user"] == "registry-submit"
