"""Bring a cluster to what the working tree is: images, manifests, templates."""

import dataclasses
import logging
from pathlib import Path

import yaml
from data_registry.stage.errors import InputMissing

from cluster.kubernetes.context import NAMESPACE, check_argo
from cluster.kubernetes.kubectl import Kubectl
from cluster.kubernetes.loading import load_images
from cluster.kubernetes.pins import NAME, apply_pins, pins
from cluster.kubernetes.secrets import missing_secrets

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Installed:
    """What a cluster has now, and what a person has yet to do."""

    templates: list[str]
    images: int
    loaded: int  # of them, those that it did not have
    missing: list[str]


def install(root: Path, context: str, manifests: Path, registry: str = "") -> Installed:
    """Bring the cluster of a context to what the working tree is; again, it changes nothing.

    Images are loaded into minikube, unless they are in a registry that the cluster pulls from.
    Raises InputMissing where there are no templates, or no Argo Workflows.
    """
    templates = sorted(root.glob("data/*/workflow.yaml"))
    if not templates:
        raise InputMissing("data/*/workflow.yaml", "there are no templates", "tools/run registry workflow all")
    kubectl = Kubectl(NAMESPACE, context=context)
    check_argo(kubectl, context)
    images = pins(root, registry)
    loaded = [] if registry else load_images(root, list(images.values()), context)
    for line in kubectl.text("apply", f"--kustomize={manifests}", "--validate=false").splitlines():
        log.info("%s", line)
    apply_pins(kubectl, images)
    log.info("configmap/%s: %d images", NAME, len(images))
    items = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in templates]
    kubectl.apply({"apiVersion": "v1", "kind": "List", "items": items})
    log.info("%s", "\n".join(f"workflowtemplate/{each['metadata']['name']}" for each in items))
    return Installed([path.parent.name for path in templates], len(images), len(loaded), missing_secrets(kubectl))
