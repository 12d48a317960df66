"""The variant of chunk-embed for large corpora: the same command, as a RayJob of KubeRay's on several machines.

Fields: https://docs.ray.io/en/latest/cluster/kubernetes/getting-started/rayjob-quick-start.html
"""

import shlex
from typing import Any, Final

from registry.argo.manifests import as_yaml
from registry.argo.pods import (
    CONFINED,
    REGISTRY_IMAGE,
    RETRY,
    TEMPORARY,
    WORKSPACE,
    Template,
    cleaning,
    env,
    image_key,
    parameter,
)
from registry.argo.stages import Stage

RAY: Final = "ray"  # as a compute type, and the end of the step's name
ACCOUNT: Final = "registry-ray"
WORKERS: Final = 4
RESOURCES: Final = {"requests": {"cpu": "4", "memory": "8Gi"}, "limits": {"cpu": "4", "memory": "8Gi"}}
SHARED: Final = {"name": "objects", "mountPath": "/dev/shm"}  # noqa: S108 (where Ray keeps its objects)
VOLUMES: Final = [
    {"name": "tmp", "emptyDir": {}},
    {"name": "objects", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
]
POD: Final = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "runAsGroup": 10001,
    "fsGroup": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def ray_pod(stage: Stage, dataset: str) -> Template:
    """Return the step that makes a RayJob and waits for it; the job goes when its workflow does."""
    return {
        "name": f"{stage.name}-ray",
        "inputs": {"parameters": [parameter("image", "registry-images", image_key(stage.image)), REGISTRY_IMAGE]},
        "serviceAccountName": ACCOUNT,
        "executor": {"serviceAccountName": ACCOUNT},
        "retryStrategy": RETRY,
        "resource": {
            "action": "create",
            "setOwnerReference": True,
            "successCondition": "status.jobDeploymentStatus == Complete",
            "failureCondition": "status.jobDeploymentStatus == Failed",
            "manifest": as_yaml(_job(stage, dataset)),
        },
    }


def _job(stage: Stage, dataset: str) -> dict[str, Any]:
    folder = {**WORKSPACE, "mountPath": "/data", "subPath": f"repo/data/{dataset}"}
    head = {**_pod("ray-head", [folder]), "initContainers": [cleaning(stage)]}
    claim = {"name": "workspace", "persistentVolumeClaim": {"claimName": "{{workflow.name}}-workspace"}}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"generateName": f"{stage.name}-"},
        "spec": {
            # Ray starts a job in a folder of its own.
            "entrypoint": shlex.join(["env", "--chdir=/data", stage.name, *stage.arguments]),
            "submissionMode": "HTTPMode",  # by the operator: its own pod to submit with is not confined
            "backoffLimit": 0,  # Argo tries again
            "shutdownAfterJobFinishes": True,
            "rayClusterSpec": {
                "headGroupSpec": {
                    # Only the head has the volume, which one node at a time can mount; workers get batches.
                    "rayStartParams": {"dashboard-host": "0.0.0.0"},  # noqa: S104 (KubeRay asks it from its own pod)
                    "template": {"spec": {**head, "volumes": [*VOLUMES, claim]}},
                },
                "workerGroupSpecs": [
                    {
                        "groupName": "workers",
                        "replicas": WORKERS,
                        "rayStartParams": {},
                        "template": {"spec": {**_pod("ray-worker", []), "volumes": VOLUMES}},
                    }
                ],
            },
        },
    }


def _pod(name: str, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "securityContext": POD,
        "containers": [
            {
                "name": name,
                "image": "{{inputs.parameters.image}}",
                "securityContext": CONFINED,
                "env": env(RAY_USAGE_STATS_ENABLED="0"),  # it would tell its makers
                "resources": RESOURCES,
                "volumeMounts": [TEMPORARY, SHARED, *mounts],
            }
        ],
    }
