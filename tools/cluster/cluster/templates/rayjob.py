"""The variant of a heavy stage for large corpora: the same command, as a RayJob of KubeRay on several machines.

Fields: https://docs.ray.io/en/latest/cluster/kubernetes/getting-started/rayjob-quick-start.html
"""

import re
import shlex
from typing import Any, Final

from launcher.toolbox import Tool

from cluster.templates.pods import (
    ACCOUNT,
    CLUSTER_IMAGE,
    CONFINED,
    TEMPORARY,
    Template,
    as_yaml,
    cleaning,
    env,
    folder,
    image_key,
    parameter,
)
from cluster.templates.stages import Stage

RAY: Final = "ray"  # the compute type, and the suffix of the step's name
ACCOUNT_NAME: Final = "registry-ray"  # of the step that creates a RayJob
WORKERS: Final = 4
RESOURCES: Final = {"requests": {"cpu": "4", "memory": "8Gi"}, "limits": {"cpu": "4", "memory": "8Gi"}}
SHARED_MEMORY: Final = {"name": "objects", "mountPath": "/dev/shm"}  # noqa: S108 (where Ray keeps its objects)
VOLUMES: Final = [
    {"name": "tmp", "emptyDir": {}},
    {"name": "objects", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
]
DASHBOARD, AGENT = 8265, 52365  # ports
DEADLINE: Final = 5 * 3600  # seconds, less than the workflow's


def ray_pod(stage: Stage, tool: Tool, dataset: str) -> Template:
    """Return the step that creates a RayJob and waits for it.

    It is not retried: a second RayJob would run beside the first one. Ray itself replaces workers that die.
    """
    return {
        "name": f"{stage.name}-{RAY}",
        "inputs": {"parameters": [parameter("image", "registry-images", image_key(stage.image)), CLUSTER_IMAGE]},
        "serviceAccountName": ACCOUNT_NAME,
        "executor": {"serviceAccountName": ACCOUNT_NAME},
        "resource": {
            "action": "create",
            "setOwnerReference": True,
            "successCondition": "status.jobDeploymentStatus == Complete",
            "failureCondition": "status.jobDeploymentStatus == Failed",
            "manifest": as_yaml(_job(stage, tool, dataset)),
        },
    }


def _job(stage: Stage, tool: Tool, dataset: str) -> dict[str, Any]:
    # Only the head mounts the volume, which one node at a time can do; workers get batches.
    head = _pod("ray-head", [folder(dataset), *(folder(dataset, path) for path in stage.reads)], DASHBOARD)
    claim = {"name": "workspace", "persistentVolumeClaim": {"claimName": "{{workflow.name}}-workspace"}}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"generateName": f"{stage.name}-"},
        "spec": {
            # Ray starts a job in a temporary folder.
            "entrypoint": shlex.join(["env", "--chdir=/data", stage.name, *stage.arguments]),
            "submissionMode": "HTTPMode",  # by the operator, whose pod for the other mode is not confined
            "activeDeadlineSeconds": DEADLINE,
            "shutdownAfterJobFinishes": True,
            "rayClusterSpec": {
                "rayVersion": _version(tool),
                "headGroupSpec": {
                    "rayStartParams": {"dashboard-host": "0.0.0.0"},  # noqa: S104 (KubeRay connects from its own pod)
                    "template": {
                        "spec": {**head, "initContainers": [cleaning(stage)], "volumes": [*VOLUMES, claim]},
                    },
                },
                "workerGroupSpecs": [
                    {
                        "groupName": "workers",
                        "replicas": WORKERS,
                        "rayStartParams": {},
                        "template": {"spec": {**_pod("ray-worker", [], 0), "volumes": VOLUMES}},
                    }
                ],
            },
        },
    }


def _pod(name: str, mounts: list[dict[str, Any]], dashboard: int) -> dict[str, Any]:
    liveness = _probe(AGENT, "/api/local_raylet_healthz")
    return {
        "automountServiceAccountToken": False,
        "securityContext": ACCOUNT,
        "containers": [
            {
                "name": name,
                "image": "{{inputs.parameters.image}}",
                "securityContext": CONFINED,
                "env": env(RAY_USAGE_STATS_ENABLED="0"),  # sends nothing to its authors
                "resources": RESOURCES,
                # KubeRay's own probes need wget, which a slim image does not have.
                "livenessProbe": liveness,
                "readinessProbe": _probe(dashboard, "/api/gcs_healthz") if dashboard else liveness,
                "volumeMounts": [TEMPORARY, SHARED_MEMORY, *mounts],
            }
        ],
    }


def _probe(port: int, path: str) -> dict[str, Any]:
    return {
        "httpGet": {"port": port, "path": path},
        "initialDelaySeconds": 10,
        "periodSeconds": 5,
        "failureThreshold": 60,
    }


def _version(tool: Tool) -> str:
    """Return the version of Ray in a tool's lock."""
    pin = re.search(r"^ray==(\S+)", (tool.folder / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    return pin[1] if pin else ""
