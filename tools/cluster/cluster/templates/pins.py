"""The images that templates use: the ConfigMap registry-images, from names of data/images.yaml to pull references."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_registry.stage.errors import InputMissing, NetworkFailed, ReleaseRefused, SourceRefused, UsageError
from data_registry.stage.foreign import read_bytes, read_json, read_yaml
from launcher.images import read_images
from launcher.toolbox import find_tools

from cluster.kubectl import NAMESPACE, Kubectl
from cluster.templates.pods import image_key

NAME = "registry-images"
OWN = "cluster"
ADDRESS = re.compile(r"[a-z0-9]+(?:[.-]+[a-z0-9]+)*(?::\d{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TIMEOUT = 60  # seconds for one image
# The errors of registries for an image that was never pushed; some registries answer the same without access.
ABSENT = re.compile(r"not found|\b40[134]\b|denied|unauthorized|authorization failed|does not exist", re.IGNORECASE)


class NotPublished(InputMissing):
    """The registry does not have the image, or does not show it to us."""


def pins(root: Path, registry: str = "") -> dict[str, str]:
    """Return the pull reference of each image of data/images.yaml, by its key in the ConfigMap.

    That is its digest in a registry, or, without one, its name on this machine, for a cluster that shares its engine.
    Raises ReleaseRefused where a tool has changed since, NotPublished, NetworkFailed, UsageError.
    """
    images = current_images(root)
    if not registry:
        return {_key(tool, image): image for tool, image in images.items()}
    return {_key(tool, image): f"{registry}/{tool}@{_digest(image, registry)}" for tool, image in images.items()}


def unpublished(root: Path, registry: str) -> dict[str, str]:
    """Return the names of the images that a registry does not have yet, by tool. Raises as ``pins``."""
    names: dict[str, str] = {}
    for tool, image in current_images(root).items():
        try:
            _digest(image, registry)
        except NotPublished:
            names[tool] = _published_name(image, registry)
    return names


def current_images(root: Path) -> dict[str, str]:
    """Return the images of data/images.yaml, and this tool's own, which no stage uses.

    Raises ReleaseRefused where a tool has changed since data/images.yaml was written.
    """
    images, tools = read_images(root), find_tools(root)
    for name, image in images.items():
        if name not in tools or tools[name].image() != image:
            raise ReleaseRefused("data/images.yaml", f"{name} has changed since it was written", "make images")
    return {**images, OWN: tools[OWN].image()}


def config_map(data: Mapping[str, str]) -> dict[str, Any]:
    """Return the ConfigMap that templates take their images from."""
    labels = {"app.kubernetes.io/part-of": "data-registry", "workflows.argoproj.io/configmap-type": "Parameter"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels},
        "data": dict(sorted(data.items())),
    }


def read_config_map(path: Path) -> dict[str, str]:
    """Return the data of a ConfigMap in a file. Raises UsageError for any other file."""
    fix = "make it with tools/run cluster pins --registry"
    shape = {"metadata": {"name": re.compile(re.escape(NAME))}, "data": {str: str}}
    data: dict[str, str] = read_yaml(read_bytes(path, error=UsageError), path, shape, UsageError, fix)["data"]
    return data


def apply_pins(kubectl: Kubectl, data: Mapping[str, str]) -> None:
    """Add pins to the cluster's ConfigMap; those of earlier tools stay, for running workflows may need them."""
    before = kubectl.find("configmap", NAME).get("data", {})
    kubectl.apply(config_map({**before, **data}))


def _key(tool: str, image: str) -> str:
    """Return the key of an image: ``fetcher.src-5cd85a7fda8b`` for ``data-registry/fetcher:src-5cd85a7fda8b``.

    A stage uses the image that dvc.lock will record; the steps of this tool use the one installed last.
    """
    return tool if tool == OWN else image_key(image)


def _published_name(image: str, registry: str) -> str:
    """Return the name of an image in a registry. Raises UsageError for an invalid address."""
    if not ADDRESS.fullmatch(registry):
        fix = "use an address such as ghcr.io/opencloudhub/data-registry"
        raise UsageError("--registry", f"invalid address of a registry: {registry!r:.60}", fix)
    return f"{registry}/{image.rpartition('/')[2]}"


def _digest(image: str, registry: str) -> str:
    """Return the digest of an image in a registry. Raises NotPublished, NetworkFailed or UsageError."""
    name = _published_name(image, registry)
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", name]
    try:
        inspected = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    except FileNotFoundError as error:
        raise InputMissing("docker", "not installed", "install it with buildx, and run again") from error
    except subprocess.TimeoutExpired as error:
        raise NetworkFailed(name, "no answer of the registry", "check that it is up, then run again") from error
    if inspected.returncode == 0:
        digest = str(read_json(inspected.stdout, name, {"digest": str}, SourceRefused, "update docker")["digest"])
        if DIGEST.fullmatch(digest):
            return digest
    lines = inspected.stderr.strip().splitlines() or [f"exit {inspected.returncode}: {inspected.stdout!r:.60}"]
    what = lines[-1].removeprefix("ERROR: ")
    if ABSENT.search(what):
        raise NotPublished(name, what, "publish it (the workflow images does), or docker login")
    raise NetworkFailed(name, what, "check the network, then run again")
