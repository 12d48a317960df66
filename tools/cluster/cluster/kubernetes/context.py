"""The cluster that a person means: minikube, or the one that they name, and no other by accident."""

import os
import shutil
import subprocess

from data_registry.stage.errors import InputMissing, UsageError

from cluster.kubernetes.kubectl import Kubectl

MINIKUBE = "minikube"  # as minikube calls the context of its first cluster
NAMESPACE = "data-registry"
TEMPLATES = "workflowtemplates.argoproj.io"


def chosen_context() -> str:
    """Return KUBE_CONTEXT, or minikube where kubectl has that as its current context; every command is given it.

    Raises UsageError where kubectl has another, InputMissing where there is no kubectl.
    """
    if shutil.which("kubectl") is None:
        raise InputMissing("kubectl", "is not installed", "install it, and run again")
    if named := os.environ.get("KUBE_CONTEXT"):
        return named
    asked = subprocess.run(["kubectl", "config", "current-context"], text=True, capture_output=True)
    current = asked.stdout.strip()
    if current != MINIKUBE:
        fix = f"kubectl config use-context {MINIKUBE}; or KUBE_CONTEXT={current or 'NAME'}, if you mean that"
        raise UsageError("kubectl", f"its context is {current or 'not set'}, not {MINIKUBE}", fix)
    return current


def check_argo(kubectl: Kubectl, context: str) -> None:
    """Raise InputMissing where the cluster does not know Argo's templates."""
    known = kubectl.text("api-resources", "--api-group=argoproj.io", "--output=name")
    if TEMPLATES not in known.split():
        raise InputMissing(context, "has no Argo Workflows", "install it, as compose/argo/README.md says")
