"""Generate the Argo WorkflowTemplate of a dataset from its DVC stages.

Fields: https://argo-workflows.readthedocs.io/en/latest/fields/
"""

from pathlib import Path
from typing import Any, Final

from data_registry.stage.output import replacing
from launcher.toolbox import find_tools
from registry.datasets import Dataset

from cluster.templates.pods import ACCOUNT, Template, as_yaml, cluster_pod, env, outputs, stage_pod, tool_pod
from cluster.templates.rayjob import RAY, ray_pod
from cluster.templates.stages import REGISTRY, Stage, digest, resolved_stages

FILE: Final = "workflow.yaml"
HEADER: Final = "# Generated from dvc.yaml by `make workflows`; what is changed here is lost.\n"
EXECUTOR: Final = "registry-workflow"
COMPUTE_TYPES: Final = [f"{kind}-{size}" for kind in ("cpu", "gpu") for size in ("small", "medium", "large")]
BOOLEANS: Final = ["false", "true"]
BUMPS: Final = ["auto", "patch", "minor", "major"]
DEADLINE: Final = 6 * 3600  # seconds
RETENTION: Final = 7 * 24 * 3600  # seconds
LOADER: Final = "pgloader"


def workflow_text(dataset: Dataset, root: Path) -> str:
    """Return the text of a dataset's ``workflow.yaml``."""
    return HEADER + as_yaml(template(dataset, root))


def write_workflow(dataset: Dataset, root: Path) -> bool:
    """Write ``workflow.yaml`` if it is not current, and return whether it was written."""
    path, text = dataset.folder / FILE, workflow_text(dataset, root)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    with replacing(path) as (temporary,):
        temporary.write_text(text, encoding="utf-8")
    return True


def is_current(dataset: Dataset, root: Path) -> bool:
    """Return whether ``workflow.yaml`` is the one that the stages give."""
    path = dataset.folder / FILE
    return path.is_file() and path.read_text(encoding="utf-8") == workflow_text(dataset, root)


def template(dataset: Dataset, root: Path) -> Template:
    """Return the WorkflowTemplate: plan, the stages that the plan selects, publish; and a report in every case."""
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
            "activeDeadlineSeconds": DEADLINE,
            "ttlStrategy": {"secondsAfterCompletion": RETENTION},
            "podGC": {"strategy": "OnWorkflowSuccess"},  # the logs of a failed one are read
            "volumeClaimGC": {"strategy": "OnWorkflowCompletion"},
            "serviceAccountName": EXECUTOR,
            "automountServiceAccountToken": False,  # only Argo's own container needs one
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
    parameters = ["revision", "force"] + ["data_version"] * bool(dataset.parent)
    plan_env = env(DS=dataset.name, STAGES_DIGEST=digest(stages), **_parameter_variables(*parameters))
    plan = cluster_pod("plan", plan_env, needs_remote=True, pushes=False)
    plan["outputs"] = outputs("publish", *(f"run-{stage.name}" for stage in pods))
    publish_env = env(ARGO_WORKFLOW_UID="{{workflow.uid}}", **_parameter_variables("bump_type", "is_automated"))
    publish = cluster_pod("publish", publish_env, needs_remote=True, pushes=True)
    publish["outputs"] = outputs("tag", "outcome")
    report_env = env(
        DS=dataset.name,
        ARGO_WORKFLOW_NAME="{{workflow.name}}",
        ARGO_WORKFLOW_STATUS="{{workflow.status}}",
        ARGO_WORKFLOW_FAILURES="{{workflow.failures}}",
    )
    tasks = [{"name": "plan", "template": "plan"}, *(task for stage in pods for task in _tasks(stage, pods))]
    is_due = "{{tasks.plan.outputs.parameters.publish}} == true"
    tasks.append({"name": "publish", "template": "publish", "depends": _after(pods), "when": is_due})
    templates = [plan, *(stage_pod(stage, tools[stage.name], dataset.name) for stage in pods)]
    templates += [*(ray_pod(stage, tools[stage.name], dataset.name) for stage in pods if stage.heavy), publish]
    if loaders := [stage for stage in pods if stage.name == LOADER]:
        tasks.append(_switch_task())
        templates.append(_switch_pod(loaders[0], dataset, tools[LOADER]))
    return [
        {"name": "main", "dag": {"tasks": tasks}},
        *templates,
        cluster_pod("report", report_env, needs_remote=False, pushes=False),
    ]


def _parameter_variables(*names: str) -> dict[str, str]:
    """Return environment variables with the values of the workflow's parameters."""
    return {name.upper(): f"{{{{workflow.parameters.{name}}}}}" for name in names}


def _tasks(stage: Stage, stages: list[Stage]) -> list[dict[str, str]]:
    """Return the task of a stage; for a heavy one two, the pod and the RayJob, one of which is skipped."""
    needed = [other for other in stages if other.name in stage.needs]
    is_due = f"{{{{tasks.plan.outputs.parameters.run-{stage.name}}}}} == true"
    task = {"name": stage.name, "template": stage.name, "depends": _after(needed), "when": is_due}
    if not stage.heavy:
        return [task]
    on_ray = f"'{{{{workflow.parameters.compute_type}}}}' == '{RAY}'"
    name = f"{stage.name}-{RAY}"
    return [
        {**task, "when": f"{is_due} && {on_ray.replace('==', '!=')}"},
        {**task, "name": name, "template": name, "when": f"{is_due} && {on_ray}"},
    ]


def _after(stages: list[Stage]) -> str:
    """Return the condition that the plan and the stages have ended, each run or skipped."""
    names = [name for stage in stages for name in [stage.name, f"{stage.name}-{RAY}"][: 1 + stage.heavy]]
    return " && ".join(["plan", *names])


def _switch_task() -> dict[str, Any]:
    """Return the task that points the view at the release; without a release, Argo omits it."""
    tag = {"name": "tag", "value": "{{tasks.publish.outputs.parameters.tag}}"}
    return {
        "name": "switch",
        "template": "switch",
        "depends": "publish.Succeeded",
        "arguments": {"parameters": [tag]},
    }


def _switch_pod(stage: Stage, dataset: Dataset, tool: Any) -> Template:
    arguments = ["switch", "--params", "params.yaml", "receipt.json", "--version", "{{inputs.parameters.tag}}"]
    pod = tool_pod("switch", tool, stage.image, arguments, dataset.name, heavy=False)
    pod["inputs"]["parameters"].insert(0, {"name": "tag"})
    return pod
