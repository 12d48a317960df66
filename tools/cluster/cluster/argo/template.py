"""Generate the Argo WorkflowTemplate of a dataset from the stages that DVC has for it.

Fields: https://argo-workflows.readthedocs.io/en/latest/fields/
"""

from pathlib import Path
from typing import Any, Final

from data_registry.stage.output import replacing
from launcher.toolbox import find_tools
from registry.datasets import Dataset

from cluster.argo.manifests import as_yaml
from cluster.argo.pods import ACCOUNT, Template, env, outputs, registry_pod, stage_pod, tool_pod
from cluster.argo.rayjob import RAY, ray_pod
from cluster.argo.stages import REGISTRY, Stage, digest, resolved_stages

FILE: Final = "workflow.yaml"
HEADER: Final = "# Generated from dvc.yaml by `make workflows`; what is changed here is lost.\n"
EXECUTOR: Final = "registry-workflow"
COMPUTE_TYPES: Final = [f"{kind}-{size}" for kind in ("cpu", "gpu") for size in ("small", "medium", "large")]
BOOLEANS: Final = ["false", "true"]
BUMPS: Final = ["auto", "patch", "minor", "major"]
LONGEST: Final = 6 * 3600  # seconds
KEPT: Final = 7 * 24 * 3600  # seconds
LOADER: Final = "pgloader"


def workflow_text(dataset: Dataset, root: Path) -> str:
    """Return the file ``workflow.yaml`` of a dataset."""
    return HEADER + as_yaml(template(dataset, root))


def write_workflow(dataset: Dataset, root: Path) -> bool:
    """Write it where it is not current, and say whether it was not."""
    path, text = dataset.folder / FILE, workflow_text(dataset, root)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    with replacing(path) as (temporary,):
        temporary.write_text(text, encoding="utf-8")
    return True


def is_current(dataset: Dataset, root: Path) -> bool:
    """Say whether the file is what the stages make of it now."""
    path = dataset.folder / FILE
    return path.is_file() and path.read_text(encoding="utf-8") == workflow_text(dataset, root)


def template(dataset: Dataset, root: Path) -> Template:
    """Return the WorkflowTemplate: plan, the stages that the plan says, publish; and a report however it ends."""
    stages = resolved_stages(dataset, root)
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {
            "name": f"data-{dataset.name}",
            "labels": {"app.kubernetes.io/part-of": "data-registry", "data-registry/dataset": dataset.name},
            "annotations": {"data-registry/stages": digest(stages)},
        },
        "spec": {
            "entrypoint": "main",
            "onExit": "report",
            "arguments": {"parameters": _parameters(dataset, stages)},
            "synchronization": {"mutexes": [{"name": f"data-{dataset.name}"}]},
            "activeDeadlineSeconds": LONGEST,
            "ttlStrategy": {"secondsAfterCompletion": KEPT},
            "podGC": {"strategy": "OnWorkflowSuccess"},  # of one that failed, people read what each step said
            "volumeClaimGC": {"strategy": "OnWorkflowCompletion"},
            "serviceAccountName": EXECUTOR,
            "automountServiceAccountToken": False,  # only Argo's own container gets it
            "executor": {"serviceAccountName": EXECUTOR},
            "securityContext": ACCOUNT,
            "volumes": [{"name": "tmp", "emptyDir": {}}],
            "volumeClaimTemplates": [
                {
                    "metadata": {"name": "workspace"},
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}},
                }
            ],
            "templates": _templates(dataset, stages, root),
        },
    }


def _parameters(dataset: Dataset, stages: list[Stage]) -> list[dict[str, Any]]:
    compute = COMPUTE_TYPES + [RAY] * any(stage.heavy for stage in stages)
    parameters: list[dict[str, Any]] = [
        {"name": "revision", "value": "main"},
        {"name": "force", "value": "false", "enum": BOOLEANS},
        {"name": "bump_type", "value": "auto", "enum": BUMPS},
        {"name": "is_automated", "value": "false", "enum": BOOLEANS},
        {"name": "compute_type", "value": compute[0], "enum": compute},
    ]
    return parameters + ([{"name": "data_version", "value": ""}] if dataset.parent else [])


def _templates(dataset: Dataset, stages: list[Stage], root: Path) -> list[Template]:
    tools, pods = find_tools(root), [stage for stage in stages if stage.name != REGISTRY]
    wanted = ["revision", "force"] + ["data_version"] * bool(dataset.parent)
    asked = env(DS=dataset.name, STAGES_DIGEST=digest(stages), **_given(*wanted))
    plan = registry_pod("plan", asked, needs_remote=True, pushes=False)
    plan["outputs"] = outputs("publish", *(f"run-{stage.name}" for stage in pods))
    told = env(ARGO_WORKFLOW_UID="{{workflow.uid}}", **_given("bump_type", "is_automated"))
    publish = registry_pod("publish", told, needs_remote=True, pushes=True)
    publish["outputs"] = outputs("tag", "outcome")
    ended = env(
        DS=dataset.name,
        ARGO_WORKFLOW_NAME="{{workflow.name}}",
        ARGO_WORKFLOW_STATUS="{{workflow.status}}",
        ARGO_WORKFLOW_FAILURES="{{workflow.failures}}",
    )
    tasks = [{"name": "plan", "template": "plan"}, *(task for stage in pods for task in _tasks(stage, pods))]
    tasks.append(_publish_task(pods))
    templates = [plan, *(stage_pod(stage, tools[stage.name], dataset.name) for stage in pods)]
    templates += [*(ray_pod(stage, tools[stage.name], dataset.name) for stage in pods if stage.heavy), publish]
    if loads := [stage for stage in pods if stage.name == LOADER]:
        tasks.append(_switch_task())
        templates.append(_switch(loads[0], dataset, tools[LOADER]))
    return [
        {"name": "main", "dag": {"tasks": tasks}},
        *templates,
        registry_pod("report", ended, needs_remote=False, pushes=False),
    ]


def _given(*names: str) -> dict[str, str]:
    """Return parameters of the workflow as variables."""
    return {name.upper(): f"{{{{workflow.parameters.{name}}}}}" for name in names}


def _tasks(stage: Stage, stages: list[Stage]) -> list[dict[str, str]]:
    """Return the task of a stage; of a heavy one two, the pod and the RayJob, of which one is skipped."""
    needed = [each for each in stages if each.name in stage.needs]
    due = f"{{{{tasks.plan.outputs.parameters.run-{stage.name}}}}} == true"
    task = {"name": stage.name, "template": stage.name, "depends": _after(needed), "when": due}
    if not stage.heavy:
        return [task]
    on_ray = f"'{{{{workflow.parameters.compute_type}}}}' == '{RAY}'"
    name = f"{stage.name}-{RAY}"
    return [
        {**task, "when": f"{due} && {on_ray.replace('==', '!=')}"},
        {**task, "name": name, "template": name, "when": f"{due} && {on_ray}"},
    ]


def _publish_task(stages: list[Stage]) -> dict[str, str]:
    return {
        "name": "publish",
        "template": "publish",
        "depends": _after(stages),
        "when": "{{tasks.plan.outputs.parameters.publish}} == true",
    }


def _after(stages: list[Stage]) -> str:
    """Return what Argo waits for: the plan, and the stages, each run or skipped."""
    names = [name for each in stages for name in [each.name, f"{each.name}-{RAY}"][: 1 + each.heavy]]
    return " && ".join(["plan", *names])


def _switch_task() -> dict[str, Any]:
    """Let readers see a release, and nothing before it is one: where nothing was published, this is left out."""
    tag = {"name": "tag", "value": "{{tasks.publish.outputs.parameters.tag}}"}
    return {
        "name": "switch",
        "template": "switch",
        "depends": "publish.Succeeded",
        "arguments": {"parameters": [tag]},
    }


def _switch(stage: Stage, dataset: Dataset, tool: Any) -> Template:
    arguments = ["switch", "--params", "params.yaml", "receipt.json", "--version", "{{inputs.parameters.tag}}"]
    pod = tool_pod("switch", tool, stage.image, arguments, dataset.name, heavy=False)
    pod["inputs"]["parameters"].insert(0, {"name": "tag"})
    return pod
