"""The datasets' WorkflowTemplates: current, valid for Argo, and with no more rights than they need."""

import gzip
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from cluster.templates.template import is_current
from data_registry.clone import repository
from data_registry.stage import errors
from launcher.images import read_images
from launcher.toolbox import find_tools
from registry.datasets import find_datasets

ROOT = repository()
DATASETS = find_datasets(ROOT, "all")
TEMPLATES = {each.name: yaml.safe_load((each.folder / "workflow.yaml").read_text()) for each in DATASETS}
SECRETS = {
    "plan": {"registry-s3"},
    "publish": {"registry-s3", "registry-deploy-key"},
    "pgloader": {"registry-database"},
    "switch": {"registry-database"},
}
VERSIONS = ("3.7.3", "4.1.2")


@pytest.fixture(params=TEMPLATES)
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = TEMPLATES[request.param]
    return found


def pods(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (each for each in template["spec"]["templates"] if "container" in each)


def containers(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for pod in pods(template):
        yield from [*pod.get("initContainers", []), pod["container"]]


def schemas() -> Path:
    """Argo's schemas, made strict: argo-VERSION.strict.schema.json.gz."""
    given = os.environ.get("ARGO_SCHEMAS", "")
    if not given or not Path(given).is_dir():
        pytest.skip("ARGO_SCHEMAS names no folder of Argo's schemas")
    return Path(given)


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda each: each.name)
def test_workflow_is_current(dataset: Any) -> None:
    assert is_current(dataset, ROOT), "run: make workflows"


@pytest.mark.parametrize("version", VERSIONS)
def test_argo_takes_every_field(version: str) -> None:
    path = schemas() / f"argo-{version}.strict.schema.json.gz"
    validator = jsonschema.Draft7Validator(json.loads(gzip.decompress(path.read_bytes())))
    assert [error.message for each in TEMPLATES.values() for error in validator.iter_errors(each)] == []
    broken = json.loads(json.dumps(TEMPLATES["emotion"]))
    broken["spec"]["templates"][1]["container"]["comand"] = ["x"]
    assert not validator.is_valid(broken)


def test_lint_finds_nothing() -> None:
    files = [str(each.folder / "workflow.yaml") for each in DATASETS]
    lint = subprocess.run([sys.executable, schemas() / "argo_lint.py", *files], capture_output=True, text=True)
    assert lint.returncode == 0, lint.stdout


def test_only_the_steps_that_need_one_have_a_secret(template: dict[str, Any]) -> None:
    for pod in pods(template):
        found = {each["secretRef"]["name"] for each in pod["container"].get("envFrom", []) if "secretRef" in each}
        found |= {each["secret"]["secretName"] for each in pod.get("volumes", [])}
        assert found == SECRETS.get(pod["name"], set())
        assert not any("secretRef" in json.dumps(each) for each in pod.get("initContainers", []))


def test_no_pod_has_rights_or_a_shell(template: dict[str, Any]) -> None:
    spec = template["spec"]
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] == 10001
    assert spec["automountServiceAccountToken"] is False
    for each in containers(template):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert len(each["command"]) == 1 and each["command"][0] in find_tools(ROOT)


def test_parameters_reach_a_pod_as_variables_or_whole_arguments(template: dict[str, Any]) -> None:
    for each in containers(template):
        for argument in each["args"]:
            assert "{{" not in argument or argument == "{{inputs.parameters.tag}}"
        for variable in each.get("env", []):
            assert "{{" not in variable["value"] or re.fullmatch(r"\{\{[a-z._]+\}\}", variable["value"])


def test_images_are_those_of_the_stages_and_pinned_by_the_cluster(template: dict[str, Any]) -> None:
    known = {image.rpartition("/")[2].replace(":", ".") for image in read_images(ROOT).values()} | {"cluster"}
    for pod in pods(template):
        inputs = {each["name"]: each for each in pod["inputs"]["parameters"]}
        for each in [*pod.get("initContainers", []), pod["container"]]:
            name = re.fullmatch(r"\{\{inputs\.parameters\.([a-z-]+)\}\}", each["image"])
            assert name
            reference = inputs[name[1]]["valueFrom"]["configMapKeyRef"]
            assert reference["name"] == "registry-images" and reference["key"] in known
            assert reference["key"].partition(".")[0] == each["command"][0]


def test_what_may_do_the_next_time_is_tried_again_and_nothing_else(template: dict[str, Any]) -> None:
    again = [errors.NetworkFailed.code, errors.DatabaseUnreachable.code, errors.LockHeld.code, errors.PushFailed.code]
    for pod in pods(template):
        assert pod["retryStrategy"]["expression"].endswith(f"in {[*again, 143]}")


def test_a_stage_is_cleaned_before_every_attempt(template: dict[str, Any]) -> None:
    steps = {pod["name"]: pod for pod in pods(template)}
    tasks = {each["name"]: each for each in template["spec"]["templates"][0]["dag"]["tasks"]}
    for name in set(steps) - {"plan", "publish", "switch", "report"}:
        assert steps[name]["initContainers"][0]["args"] == ["argo", "clean", name]
        assert tasks[name]["when"].startswith(f"{{{{tasks.plan.outputs.parameters.run-{name}}}}} == true")


def test_a_large_corpus_is_embedded_by_a_rayjob_of_the_same_command() -> None:
    templates = {each["name"]: each for each in TEMPLATES["opencloudhub-readmes-embeddings"]["spec"]["templates"]}
    pod, variant = templates["chunk-embed"], templates["chunk-embed-ray"]
    resource = variant["resource"]
    assert resource["action"] == "create" and resource["setOwnerReference"] is True and "retryStrategy" not in variant
    assert resource["successCondition"] == "status.jobDeploymentStatus == Complete"
    assert variant["serviceAccountName"] == variant["executor"]["serviceAccountName"] == "registry-ray"
    job = yaml.safe_load(resource["manifest"])["spec"]
    command = [*pod["container"]["command"], *pod["container"]["args"]]
    assert shlex.split(job["entrypoint"]) == ["env", "--chdir=/data", *command]
    cluster = job["rayClusterSpec"]
    assert job["activeDeadlineSeconds"] < TEMPLATES["opencloudhub-readmes-embeddings"]["spec"]["activeDeadlineSeconds"]
    lock = (ROOT / "tools" / "chunk-embed" / "requirements.lock").read_text()
    assert f"\nray=={cluster['rayVersion']} " in lock.replace("[default,data]", "").replace("\\", " ")
    head = cluster["headGroupSpec"]["template"]["spec"]
    assert head["initContainers"] == pod["initContainers"]
    assert all(each in head["containers"][0]["volumeMounts"] for each in pod["container"]["volumeMounts"])
    for spec in (head, *(group["template"]["spec"] for group in cluster["workerGroupSpecs"])):
        assert spec["automountServiceAccountToken"] is False and spec["securityContext"]["runAsNonRoot"]
        assert spec["containers"][0]["securityContext"] == pod["container"]["securityContext"]
        assert "envFrom" not in spec["containers"][0]
        (container,) = spec["containers"]
        probes = [container[name]["httpGet"]["port"] for name in ("livenessProbe", "readinessProbe")]
        assert probes == [52365, 8265 if spec is head else 52365]
        named = {**container, "image": "image"}
        inits = [{**each, "image": "image"} for each in spec.get("initContainers", [])]
        volumes = [{**each, "emptyDir": {}} for each in spec["volumes"] if "emptyDir" in each]
        pod_spec = {**spec, "containers": [named], "initContainers": inits, "volumes": volumes}
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ray"}, "spec": pod_spec}
        kubernetes_validate.validate(manifest, "1.37", strict=True)
    tasks = {each["name"]: each for each in templates["main"]["dag"]["tasks"]}
    whens = [tasks[name]["when"].rpartition(" && ")[2] for name in ("chunk-embed", "chunk-embed-ray")]
    assert whens == [f"'{{{{workflow.parameters.compute_type}}}}' {how} 'ray'" for how in ("!=", "==")]


def test_what_a_stage_reads_it_cannot_write(template: dict[str, Any]) -> None:
    dataset = template["metadata"]["name"].removeprefix("data-")
    for pod in pods(template):
        mounts = {each["mountPath"]: each for each in pod["container"]["volumeMounts"]}
        if "/data" in mounts:
            assert not mounts["/data"].get("readOnly")
            below = {path: each for path, each in mounts.items() if path.startswith("/data/")}
            assert all(each["readOnly"] for each in below.values())
            assert all(each["subPath"] == f"repo/data/{dataset}/{path[6:]}" for path, each in below.items())
            assert "/data/params.yaml" in below or pod["name"] == "switch"
    steps = {pod["name"]: [each["mountPath"] for each in pod["container"]["volumeMounts"]] for pod in pods(template)}
    if "fetcher" in steps:
        assert "/data/sources.csv" in steps["fetcher"] and "/data/raw" in steps["parquetizer"]
        assert {"/data/raw", "/data/samples.parquet"} <= {*steps["stats"]} and "/data/metadata.json" not in steps[
            "stats"
        ]


def test_readers_see_only_what_is_published() -> None:
    tasks = {
        name: {each["name"]: each for each in template["spec"]["templates"][0]["dag"]["tasks"]}
        for name, template in TEMPLATES.items()
    }
    switching = {name for name, each in tasks.items() if "switch" in each}
    assert switching == {"opencloudhub-readmes-embeddings"}
    for name in switching:
        assert tasks[name]["switch"]["depends"] == "publish.Succeeded"


def test_heavy_stages_take_the_compute_type_and_others_the_smallest(template: dict[str, Any]) -> None:
    for pod in pods(template):
        for each in pod["inputs"]["parameters"]:
            if each["name"] == "profile":
                heavy = pod["name"] == "chunk-embed"
                assert each["valueFrom"]["configMapKeyRef"]["key"] == (
                    "{{workflow.parameters.compute_type}}" if heavy else "cpu-small"
                )


@pytest.mark.docker
def test_commands_are_the_entrypoints_of_the_images(images: dict[str, str]) -> None:
    for name, image in images.items():
        shown = subprocess.run(
            ["docker", "image", "inspect", "-f", "{{json .Config.Entrypoint}}", image], capture_output=True, check=True
        )
        assert json.loads(shown.stdout) == [name]
