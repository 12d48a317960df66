"""Install the working tree in a cluster: images, manifests, templates; and find the Secrets that it lacks."""

import dataclasses
import logging
import shutil
import subprocess
from pathlib import Path

import yaml
from data_registry.stage.errors import InputMissing, ReleaseRefused
from launcher.containers import has_image
from registry.build.images import build_images

from cluster.kubectl import NAMESPACE, Kubectl
from cluster.templates.pins import NAME, apply_pins, pins

log = logging.getLogger(__name__)

TEMPLATES = "workflowtemplates.argoproj.io"
KEYS = "go-template={{range $key, $value := .data}}{{$key}} {{end}}"
REGISTRY = "or set IMAGE_REGISTRY to a registry that the cluster pulls from"


@dataclasses.dataclass(frozen=True)
class Secret:
    """A Secret that workflows need: its name, its keys, and the options of kubectl that create it."""

    name: str
    keys: tuple[str, ...]
    options: str

    @property
    def command(self) -> str:
        """The command that creates it; only a person runs it."""
        return f"kubectl create secret generic {self.name} --namespace {NAMESPACE} {self.options}"


SECRETS = (
    Secret("registry-s3", ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "--from-env-file=s3.env"),
    Secret("registry-deploy-key", ("key", "known_hosts"), "--from-file=key --from-file=known_hosts"),
    Secret("registry-database", ("PGVECTOR_PASSWORD",), "--from-env-file=database.env"),
)


@dataclasses.dataclass(frozen=True)
class Installed:
    """The number of templates and images in the cluster, and a line for each missing Secret."""

    templates: int
    images: int
    loaded: int  # images that it did not have before
    missing: list[str]


def install(root: Path, context: str, manifests: Path, registry: str = "") -> Installed:
    """Install the working tree in the cluster of a context; a second time, nothing changes.

    Images are loaded into minikube, unless they are in a registry that the cluster pulls from.
    Raises InputMissing where there are no templates, or no Argo Workflows.
    """
    paths = sorted(root.glob("data/*/workflow.yaml"))
    if not paths:
        raise InputMissing("data/*/workflow.yaml", "not found", "make workflows")
    kubectl = Kubectl(context=context)
    if TEMPLATES not in kubectl.text("api-resources", "--api-group=argoproj.io", "--output=name").split():
        raise InputMissing(context, "Argo Workflows is not installed", "install it as in compose/argo/README.md")
    images = pins(root, registry)
    loaded = [] if registry else load_images(root, list(images.values()), context)
    for line in kubectl.text("apply", f"--kustomize={manifests}", "--validate=false").splitlines():
        log.info("%s", line)
    apply_pins(kubectl, images)
    log.info("configmap/%s: %d images", NAME, len(images))
    templates = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths]
    kubectl.apply({"apiVersion": "v1", "kind": "List", "items": templates})
    for template in templates:
        log.info("workflowtemplate/%s", template["metadata"]["name"])
    return Installed(len(templates), len(images), len(loaded), missing_secrets(kubectl))


def load_images(root: Path, images: list[str], profile: str) -> list[str]:
    """Load the images that minikube lacks, built if necessary, and return them. Raises ReleaseRefused."""
    if shutil.which("minikube") is None:
        raise InputMissing("minikube", "not installed", f"install it, {REGISTRY}")
    present = {image.removeprefix("docker.io/") for image in _minikube_image(profile, "ls").split()}
    absent = [image for image in images if image not in present]
    tools = {image.rpartition("/")[2].partition(":")[0]: image for image in absent}
    if unbuilt := {tool: image for tool, image in tools.items() if not has_image(image)}:
        build_images(root, unbuilt)
    for image in absent:
        log.info("%s: loading into %s", image, profile)
        _minikube_image(profile, "load", image)
    return absent


def _minikube_image(profile: str, *arguments: str) -> str:
    command = ["minikube", f"--profile={profile}", "image", *arguments]
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        what = lines[-1] if lines else f"failed with exit {done.returncode} and no error message"
        raise ReleaseRefused("minikube image", what, f"minikube start --profile={profile}, {REGISTRY}")
    return done.stdout


def missing_secrets(kubectl: Kubectl) -> list[str]:
    """Return a line for each Secret that the cluster lacks, with the command that creates it."""
    lines = []
    for secret in SECRETS:
        # kubectl prints the keys alone, so that no value gets here.
        keys = kubectl.text("get", "secret", secret.name, "--ignore-not-found", f"--output={KEYS}").split()
        if not keys:
            lines.append(f"secret {secret.name} is missing; create it: {secret.command}")
        elif absent := [key for key in secret.keys if key not in keys]:
            lines.append(f"secret {secret.name} lacks {', '.join(absent)}; delete it, then create it: {secret.command}")
    return lines
