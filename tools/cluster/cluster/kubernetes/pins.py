"""The images that templates take: a ConfigMap from the names in data/images.yaml to what is pulled."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_registry.stage.errors import InputMissing, NetworkFailed, ReleaseRefused, SourceRefused, UsageError
from data_registry.stage.foreign import read_bytes, read_json, read_yaml
from launcher.images import read_images
from launcher.toolbox import find_tools

from cluster.kubernetes.context import NAMESPACE
from cluster.kubernetes.kubectl import Kubectl

NAME = "registry-images"
OWN = "registry"
ADDRESS = re.compile(r"[a-z0-9]+(?:[.-]+[a-z0-9]+)*(?::\d{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
PATIENCE = 60  # seconds for one image
# What registries say of an image that nobody has pushed: some tell it from one that is not to be seen, some do not.
ABSENT = re.compile(r"not found|\b40[134]\b|denied|unauthorized|authorization failed|does not exist", re.IGNORECASE)


class NotPublished(InputMissing):
    """The registry has no such image, or not for us."""


def pins(root: Path, registry: str = "") -> dict[str, str]:
    """Return what to pull for each image of data/images.yaml, by its key.

    That is its digest in a registry, or, without one, its name on this machine, for a cluster that shares its engine.
    Raises ReleaseRefused where a tool has changed since, NotPublished, NetworkFailed, UsageError.
    """
    images = current_images(root)
    if not registry:
        return {_key(tool, image): image for tool, image in images.items()}
    return {_key(tool, image): f"{registry}/{tool}@{_digest(image, registry)}" for tool, image in images.items()}


def unpublished(root: Path, registry: str) -> dict[str, str]:
    """Return what is still to be published, by tool: the name that each image gets there. Raises as ``pins``."""
    found: dict[str, str] = {}
    for tool, image in current_images(root).items():
        try:
            _digest(image, registry)
        except NotPublished:
            found[tool] = _published_name(image, registry)
    return found


def current_images(root: Path) -> dict[str, str]:
    """Return the images of data/images.yaml, and the registry's own, which is in none of the stages.

    Raises ReleaseRefused where a tool has changed since that was written.
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
    """Return the pins in a file that has the ConfigMap. Raises UsageError for any other file."""
    fix = "make it with registry pins --registry"
    shape = {"metadata": {"name": re.compile(re.escape(NAME))}, "data": {str: str}}
    data: dict[str, str] = read_yaml(read_bytes(path, error=UsageError), path, shape, UsageError, fix)["data"]
    return data


def apply_pins(kubectl: Kubectl, data: Mapping[str, str]) -> None:
    """Put pins into the cluster, beside those of earlier tools: workflows may be at work with them."""
    before = kubectl.find("configmap", NAME).get("data", {})
    kubectl.apply(config_map({**before, **data}))


def _key(tool: str, image: str) -> str:
    """Return the key of an image: ``fetcher.src-5cd85a7fda8b`` of ``data-registry/fetcher:src-5cd85a7fda8b``.

    A stage takes the tool that dvc.lock will name; of the registry, templates take what was installed last.
    """
    return tool if tool == OWN else image.rpartition("/")[2].replace(":", ".")


def _published_name(image: str, registry: str) -> str:
    """Return what an image is called in a registry. Raises UsageError for an address that is none."""
    if not ADDRESS.fullmatch(registry):
        raise UsageError(
            "registry", f"{registry!r:.60} is no place for images", "as ghcr.io/opencloudhub/data-registry"
        )
    return f"{registry}/{image.rpartition('/')[2]}"


def _digest(image: str, registry: str) -> str:
    """Return the digest that a registry has of an image. Raises NotPublished, NetworkFailed or UsageError."""
    name = _published_name(image, registry)
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", name]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except FileNotFoundError as error:
        raise InputMissing("docker", "is not installed", "install it with buildx, and run again") from error
    except subprocess.TimeoutExpired as error:
        raise NetworkFailed(name, "the registry did not answer", "see whether it is up, then run again") from error
    if asked.returncode == 0:
        digest = str(read_json(asked.stdout, name, {"digest": str}, SourceRefused, "update docker")["digest"])
        if DIGEST.fullmatch(digest):
            return digest
    lines = asked.stderr.strip().splitlines() or [f"exit {asked.returncode}: {asked.stdout!r:.60}"]
    what = lines[-1].removeprefix("ERROR: ")
    if ABSENT.search(what):
        raise NotPublished(name, what, "let the workflow images publish it, or docker login")
    raise NetworkFailed(name, what, "check the network, then run again")
