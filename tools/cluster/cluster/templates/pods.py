"""The pods of a workflow: each an image, an argument list, and as few rights as it needs; and how YAML is written."""

from collections.abc import Iterable
from typing import Any, Final

import yaml
from data_registry.stage.errors import DatabaseUnreachable, LockHeld, NetworkFailed, PushFailed
from launcher.toolbox import Tool

from cluster.templates.stages import Stage

Template = dict[str, Any]

WORKSPACE: Final = {"name": "workspace", "mountPath": "/workspace"}
TEMPORARY: Final = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108
OUT: Final = "/tmp/out"  # noqa: S108 (a volume of the pod's own)
KEYS: Final = {"name": "deploy-key", "mountPath": "/secrets/git", "readOnly": True}
SSH: Final = (
    "ssh -i /secrets/git/key -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes"
    " -o UserKnownHostsFile=/secrets/git/known_hosts"
)
CONFINED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
ACCOUNT: Final = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "runAsGroup": 10001,
    "fsGroup": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
}
SMALL: Final = {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"cpu": "2", "memory": "2Gi"}}
TERMINATED: Final = 143  # a node that is drained
# Exit codes after which the same inputs may succeed: a network, a database, a lock, a push. All others need a person.
TRANSIENT: Final = (NetworkFailed, DatabaseUnreachable, LockHeld, PushFailed)
RETRYABLE: Final = sorted([*(error.code for error in TRANSIENT), TERMINATED])
RETRY: Final = {
    "limit": "2",
    "expression": f'lastRetry.status == "Error" || asInt(lastRetry.exitCode) in {RETRYABLE}',
    "backoff": {"duration": "30s", "factor": "2"},  # maxDuration would end a running attempt
}
CPU: Final = "cpu-small"
COMPUTE: Final = "{{workflow.parameters.compute_type}}"


def env(**values: str) -> list[dict[str, str]]:
    """Return environment variables in the form that a container takes."""
    return [{"name": name, "value": value} for name, value in values.items()]


def outputs(*names: str) -> dict[str, Any]:
    """Return output parameters, each read from a file that the step writes."""
    return {"parameters": [{"name": name, "valueFrom": {"path": f"{OUT}/{name}"}} for name in names]}


def parameter(name: str, config_map: str, key: str) -> dict[str, Any]:
    """Return an input parameter, read from a ConfigMap of the cluster."""
    return {"name": name, "valueFrom": {"configMapKeyRef": {"name": config_map, "key": key}}}


CLUSTER_IMAGE: Final = parameter("cluster-image", "registry-images", "cluster")


def image_key(image: str) -> str:
    """Return the key of an image in the ConfigMap registry-images: its tool and the hash of the sources."""
    return image.rpartition("/")[2].replace(":", ".")


def cluster_pod(name: str, variables: list[dict[str, str]], *, needs_remote: bool, pushes: bool) -> Template:
    """Return a pod of this tool; only the steps that need them get credentials and the workspace."""
    mounts = [TEMPORARY] + ([WORKSPACE] if needs_remote else []) + ([KEYS] if pushes else [])
    template: Template = {
        "name": name,
        "inputs": {"parameters": [CLUSTER_IMAGE]},
        "retryStrategy": RETRY,
        "container": {
            "image": "{{inputs.parameters.cluster-image}}",
            "command": ["cluster"],
            "args": ["argo", name],
            "env": variables + (env(GIT_SSH_COMMAND=SSH) if pushes else []),
            "securityContext": CONFINED,
            "resources": SMALL,
            "volumeMounts": mounts,
        },
    }
    if needs_remote:
        template["container"]["envFrom"] = [
            {"configMapRef": {"name": "registry-settings"}},
            {"secretRef": {"name": "registry-s3"}},
        ]
    if pushes:
        template["volumes"] = [
            {"name": "deploy-key", "secret": {"secretName": "registry-deploy-key", "defaultMode": 0o400}}
        ]
    return template


def folder(dataset: str, path: str = "") -> dict[str, Any]:
    """Return the mount of the dataset's folder, or of a path in it, read-only."""
    volume = {"name": WORKSPACE["name"], "subPath": f"repo/data/{dataset}/{path}".rstrip("/")}
    return {**volume, "mountPath": f"/data/{path}".rstrip("/"), **({"readOnly": True} if path else {})}


def tool_pod(
    name: str, tool: Tool, image: str, arguments: list[str], dataset: str, reads: Iterable[str] = (), *, heavy: bool
) -> Template:
    """Return a pod of a tool on the dataset's folder, with the resources of a compute profile.

    The paths that it ``reads`` are mounted read-only over the folder, which is writable for the outputs.
    """
    settings: list[dict[str, Any]] = [{"configMapRef": {"name": f"tool-{tool.name}", "optional": True}}]
    if tool.database:
        settings += [{"configMapRef": {"name": "registry-database"}}, {"secretRef": {"name": "registry-database"}}]
    known = {"DOCKER_IMAGE_TAG": image.rpartition(":")[2], "ARGO_WORKFLOW_UID": "{{workflow.uid}}"}
    return {
        "name": name,
        "inputs": {
            "parameters": [
                parameter("image", "registry-images", image_key(image)),
                parameter("profile", "compute-profiles", COMPUTE if heavy else CPU),
            ]
        },
        "podSpecPatch": "{{inputs.parameters.profile}}",
        "retryStrategy": RETRY,
        "container": {
            "image": "{{inputs.parameters.image}}",
            "command": [tool.name],
            "args": arguments,
            "workingDir": "/data",
            "env": env(HOME="/tmp", **{key: value for key, value in known.items() if key in tool.env}),  # noqa: S108
            "envFrom": settings,
            "securityContext": CONFINED,
            "volumeMounts": [TEMPORARY, folder(dataset), *(folder(dataset, path) for path in reads)],
        },
    }


def stage_pod(stage: Stage, tool: Tool, dataset: str) -> Template:
    """Return the pod of a stage, with a container before it that cleans up after an earlier attempt."""
    pod = tool_pod(stage.name, tool, stage.image, list(stage.arguments), dataset, stage.reads, heavy=stage.heavy)
    pod["inputs"]["parameters"].append(CLUSTER_IMAGE)
    pod["initContainers"] = [cleaning(stage)]
    return pod


def cleaning(stage: Stage) -> dict[str, Any]:
    """Return the container that removes the files that an earlier attempt left."""
    return {
        "name": "clean",
        "image": "{{inputs.parameters.cluster-image}}",
        "command": ["cluster"],
        "args": ["argo", "clean", stage.name],
        "securityContext": CONFINED,
        "resources": SMALL,
        "volumeMounts": [TEMPORARY, WORKSPACE],
    }


class _Dumper(yaml.SafeDumper):
    """Write texts of several lines as blocks, and equal values without references between them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def as_yaml(value: Any) -> str:
    """Return a manifest in YAML."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=120)
