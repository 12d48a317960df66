"""Load the tools' images into minikube, which pulls from no registry then."""

import logging
import shutil
import subprocess
from pathlib import Path

from data_registry.stage.errors import InputMissing, ReleaseRefused
from launcher.containers import has_image
from registry.build.images import build_images

log = logging.getLogger(__name__)


def load_images(root: Path, images: list[str], profile: str) -> list[str]:
    """Load the images that minikube does not have, built where need be, and return them.

    Raises ReleaseRefused where minikube fails.
    """
    if shutil.which("minikube") is None:
        fix = "install it, or name a registry that the cluster pulls from: IMAGE_REGISTRY=..."
        raise InputMissing("minikube", "is not installed", fix)
    there = {image.removeprefix("docker.io/") for image in _minikube(profile, "ls").split()}
    lacking = [image for image in images if image not in there]
    if unbuilt := {_tool(image): image for image in lacking if not has_image(image)}:
        build_images(root, unbuilt)
    for image in lacking:
        log.info("%s: loading it into %s", image, profile)
        _minikube(profile, "load", image)
    return lacking


def _tool(image: str) -> str:
    return image.rpartition("/")[2].partition(":")[0]


def _minikube(profile: str, *arguments: str) -> str:
    command = ["minikube", f"--profile={profile}", "image", *arguments]
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        fix = f"minikube start --profile={profile}, or name a registry that the cluster pulls from: IMAGE_REGISTRY=..."
        raise ReleaseRefused("minikube image", said[-1] if said else "failed without a word", fix)
    return done.stdout
