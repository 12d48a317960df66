"""compose/argo: what a cluster is given, as kubectl makes it of the files; and that templates name nothing else."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cluster.minikube.forwards import DEFAULTS
from cluster.minikube.install import SECRETS
from cluster.templates.template import COMPUTE_TYPES
from data_registry.clone import repository

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

Object = dict[str, Any]

ROOT = repository()
FOLDER = ROOT / "compose" / "argo"
TEMPLATES = sorted(ROOT.glob("data/*/workflow.yaml"))
OLDEST, NEWEST = "1.29", "1.37"  # of the clusters that it is to work in


@pytest.fixture(scope="module")
def manifests() -> list[Object]:
    made = subprocess.run(["kubectl", "kustomize", FOLDER], text=True, capture_output=True, check=True)
    assert made.stderr == ""
    return list(yaml.safe_load_all(made.stdout))


@pytest.fixture(scope="module")
def names(manifests: list[Object]) -> set[tuple[str, str]]:
    return {(each["kind"], each["metadata"]["name"]) for each in manifests}


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_object_is_what_kubernetes_knows(version: str, manifests: list[Object]) -> None:
    for each in manifests:
        kubernetes_validate.validate(each, version, strict=True)


def test_every_file_is_in_the_list_and_told_of() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    files = {path.name for path in FOLDER.glob("*.yaml")}
    assert set(listed) == files - {"kustomization.yaml", "controller.yaml"}
    readme = (FOLDER / "README.md").read_text()
    assert all(f"| `{name}` |" in readme for name in files)


def test_argos_own_containers_are_told_to_meet_the_standard() -> None:
    """What Kubernetes' standard `restricted` asks of each container beside what templates say of the whole pod."""
    executor = yaml.safe_load(yaml.safe_load((FOLDER / "controller.yaml").read_text())["data"]["executor"])
    assert executor == {"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}


def test_all_of_it_is_in_one_namespace_that_is_restricted(manifests: list[Object]) -> None:
    for each in manifests:
        if each["kind"] == "Namespace":
            assert each["metadata"]["name"] == "data-registry"
            levels = {key.rpartition("/")[2]: value for key, value in each["metadata"]["labels"].items()}
            assert levels["enforce"] == levels["warn"] == levels["audit"] == "restricted"
        else:
            assert each["metadata"]["namespace"] == "data-registry"
        assert each["metadata"]["labels"]["app.kubernetes.io/part-of"] == "data-registry"


def test_nobody_may_do_more_than_is_said_here(manifests: list[Object]) -> None:
    """An account that is to do more is a decision, which changes this test."""
    allowed = {
        each["metadata"]["name"]: {
            "/".join([*filter(None, [group]), resource, *rule.get("resourceNames", [])]): " ".join(
                sorted(rule["verbs"])
            )
            for rule in each["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
        }
        for each in manifests
        if each["kind"] == "Role"
    }
    results = {"argoproj.io/workflowtaskresults": "create patch"}
    assert allowed == {
        "registry-workflow": results,
        "registry-ray": {**results, "ray.io/rayjobs": "create get"},
        "registry-submit": {"argoproj.io/workflows": "create get"},
        "registry-images": {"configmaps/registry-images": "get patch"},
    }
    assert not {each["kind"] for each in manifests} & {"ClusterRole", "ClusterRoleBinding"}


def test_who_may_call_a_pod(manifests: list[Object]) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in manifests if each["kind"] == "NetworkPolicy"}
    machines = {"matchExpressions": [{"key": "ray.io/cluster", "operator": "Exists"}]}
    operator = {"matchLabels": {"app.kubernetes.io/name": "kuberay-operator"}}
    dashboard = [{"protocol": "TCP", "port": 8265}]
    assert policies == {
        "nobody-comes-in": {"podSelector": {}, "policyTypes": ["Ingress"]},
        "ray-talks-to-ray": {
            "podSelector": machines,
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [{"podSelector": machines}]},
                {"from": [{"namespaceSelector": {}, "podSelector": operator}], "ports": dashboard},
            ],
        },
    }


def test_every_account_has_its_role_and_no_pod_gets_a_token_by_itself(manifests: list[Object]) -> None:
    accounts = {each["metadata"]["name"]: each for each in manifests if each["kind"] == "ServiceAccount"}
    assert all(each["automountServiceAccountToken"] is False for each in accounts.values())
    bound = {}
    for each in manifests:
        if each["kind"] == "RoleBinding":
            (subject,) = each["subjects"]
            assert each["roleRef"]["kind"] == "Role" and subject["namespace"] == "data-registry"
            bound[subject["name"]] = each["roleRef"]["name"]
    assert bound == {name: name for name in accounts if name != "default"}


def test_secrets_have_no_values(manifests: list[Object]) -> None:
    secrets = [each for each in manifests if each["kind"] == "Secret"]
    assert {each["type"] for each in secrets} == {"kubernetes.io/service-account-token"}
    assert not [each for each in secrets if "data" in each or "stringData" in each]


def test_profiles_are_patches_of_a_pod(manifests: list[Object]) -> None:
    (profiles,) = (each for each in manifests if each["metadata"]["name"] == "compute-profiles")
    assert profiles["metadata"]["labels"]["workflows.argoproj.io/configmap-type"] == "Parameter"
    assert sorted(profiles["data"]) == sorted(COMPUTE_TYPES)
    for name, text in profiles["data"].items():
        patch = json.loads(text)
        container = {"name": "main", "image": "x", **patch["containers"][0]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "x"},
            "spec": {**patch, "containers": [container]},
        }
        kubernetes_validate.validate(pod, NEWEST, strict=True)
        assert container["name"] == "main" and set(container["resources"]) == {"requests", "limits"}
        gpu = container["resources"]["limits"].get("nvidia.com/gpu")
        assert (gpu == "1" and patch["tolerations"]) if name.startswith("gpu-") else not gpu


def test_what_is_forwarded_is_what_pods_use(manifests: list[Object]) -> None:
    values = {each["metadata"]["name"]: each["data"] for each in manifests if each["kind"] == "ConfigMap"}
    where = {name: re.split("[/:]", service) for name, (service, _) in DEFAULTS.items()}
    host = "{1}.{0}.svc.cluster.local"
    assert values["registry-settings"]["AWS_ENDPOINT_URL"] == f"http://{host.format(*where['minio'])}"
    assert values["registry-database"]["PGVECTOR_HOST"] == host.format(*where["pgvector"])
    assert values["registry-database"]["PGVECTOR_PORT"] == where["pgvector"][2]


def test_a_laptop_expects_the_ports_that_are_forwarded() -> None:
    lines = (ROOT / ".env.minikube").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    assert (told["PGVECTOR_HOST"], told["PGVECTOR_PORT"]) == ("localhost", DEFAULTS["pgvector"][1])
    compose = (ROOT / "docker-compose.minikube.yml").read_text()
    assert f"${{MINIKUBE_PGVECTOR_PORT:-{DEFAULTS['pgvector'][1]}}}" in compose
    assert f"minikube.host:{DEFAULTS['minio'][1]}" in compose
    assert f"{told['AWS_ENDPOINT_URL']}}}" in compose
    for name in ("PGVECTOR_DATABASE", "PGVECTOR_USER"):
        assert f"{name}: ${{{name}:-{told[name]}}}" in compose
    readme = (FOLDER / "README.md").read_text()
    for name, (service, port) in DEFAULTS.items():
        row = f"| `MINIKUBE_{name.upper()}_SERVICE` | `{service}` | {port} | `MINIKUBE_{name.upper()}_PORT` |"
        assert row in readme


def test_secrets_are_told_of_as_they_are_asked_for() -> None:
    readme = (FOLDER / "README.md").read_text()
    for secret in SECRETS:
        assert f"| `{secret.name}` | {', '.join(f'`{key}`' for key in secret.keys)} |" in readme
        assert f"\n{secret.command}\n" in readme


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("command", [each for each in commands() if each.startswith("kubectl create secret")])
def test_the_readmes_commands_make_the_secrets(command: str, tmp_path: Path) -> None:
    for secret in SECRETS:
        for source in secret.options.split():
            name = source.rpartition("=")[2]
            text = "".join(f"{key}=x\n" for key in secret.keys) if name.endswith(".env") else "x\n"
            (tmp_path / name).write_text(text)
    words = shlex.split(command.partition(" | ")[0].removesuffix(" --dry-run=client --output=yaml"))
    made = subprocess.run([*words, "--dry-run=client", "--output=yaml"], cwd=tmp_path, capture_output=True, check=True)
    found = yaml.safe_load(made.stdout)
    (secret,) = (each for each in SECRETS if each.name == found["metadata"]["name"])
    assert sorted(found["data"]) == sorted(secret.keys) and found["metadata"]["namespace"] == "data-registry"
    assert "type" not in found, "opaque"


def test_the_overlay_of_the_readme_changes_an_address(tmp_path: Path) -> None:
    (overlay,) = (
        text
        for text in re.findall(r"```yaml\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
        if "patches:" in text
    )
    shutil.copytree(FOLDER, tmp_path / "data-registry" / "compose" / "argo")
    (tmp_path / "my-cluster").mkdir()
    (tmp_path / "my-cluster" / "kustomization.yaml").write_text(overlay)
    made = subprocess.run(["kubectl", "kustomize", tmp_path / "my-cluster"], text=True, capture_output=True, check=True)
    assert "REPO_URL: https://git.example.org/data-registry.git" in made.stdout and made.stderr == ""


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.parent.name)
def test_a_template_names_only_what_is_there(path: Path, manifests: list[Object], names: set[tuple[str, str]]) -> None:
    known = names | {("Secret", each.name) for each in SECRETS} | {("ConfigMap", "registry-images")}
    keys = {each["metadata"]["name"]: set(each.get("data", ())) for each in manifests if each["kind"] == "ConfigMap"}
    document = yaml.safe_load(path.read_text())
    for kind, name, key in references(document):
        if kind == "ConfigMap" and name.startswith("tool-"):
            assert f"`{name[:5]}<name>`" in (FOLDER / "README.md").read_text()
            continue
        assert (kind, name) in known, f"{kind} {name}"
        if name in keys and key and "{{" not in key:
            assert key in keys[name], f"{name} {key}"
    for account in {name for kind, name, _ in references(document) if kind == "ServiceAccount"}:
        assert ("Secret", f"{account}.service-account-token") in names, "Argo's executor looks for its token there"


def references(value: Any) -> Iterator[tuple[str, str, str]]:
    """Yield kind, name and, where one is named, key of all that a template needs of its namespace."""
    if isinstance(value, list):
        for each in value:
            yield from references(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key in {"configMapRef", "configMapKeyRef"}:
                yield "ConfigMap", each["name"], each.get("key", "")
            elif key in {"secretRef", "secretKeyRef"}:
                yield "Secret", each["name"], each.get("key", "")
            elif key == "secretName":
                yield "Secret", each, ""
            elif key == "serviceAccountName":
                yield "ServiceAccount", each, ""
            else:
                yield from references(each)
