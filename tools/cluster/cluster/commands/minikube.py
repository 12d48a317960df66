"""The commands for a cluster of one's own: what kubectl calls minikube, or KUBE_CONTEXT."""

from pathlib import Path

import click
from data_registry.clone import repository
from data_registry.stage.options import talk


@click.group()
def minikube() -> None:
    """Install the pipelines in minikube, reach its services, see whether all of it works.

    The cluster is the one of kubectl's current context, which must be called minikube, or that of KUBE_CONTEXT.
    """


@minikube.command()
@click.option(
    "--manifests",
    envvar="MANIFESTS",
    show_envvar=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder for kustomize.  [default: compose/argo]",
)
@click.option(
    "--registry",
    envvar="IMAGE_REGISTRY",
    show_envvar=True,
    default="",
    help="Where the cluster pulls images from; without it, they are loaded into minikube.",
)
@talk
def apply(manifests: Path | None, registry: str) -> None:
    """Bring the cluster to what the working tree is: images, manifests, templates; say which Secrets it lacks."""
    from cluster.kubernetes.context import chosen_context
    from cluster.kubernetes.install import install

    root, context = repository(), chosen_context()
    done = install(root, context, manifests or root / "compose" / "argo", registry)
    click.echo(f"{context}: {len(done.templates)} templates; {done.images} images, {done.loaded} of them loaded now")
    click.echo("\n".join(done.missing or ["all secrets are there; next: make minikube-smoke"]))


@minikube.command()
@talk
def forward() -> None:
    """Forward ports of this machine to MinIO, pgvector and MLflow of the cluster, until Ctrl-C.

    MINIKUBE_MINIO_SERVICE, MINIKUBE_PGVECTOR_SERVICE and MINIKUBE_MLFLOW_SERVICE (namespace/name:port) say where they
    are, MINIKUBE_MINIO_PORT and so on which ports lead there, and MINIKUBE_FORWARD_IP where to listen, beside loopback.
    """
    from cluster.kubernetes.context import chosen_context
    from cluster.kubernetes.forwards import forwarding, wanted_forwards, watch

    context, forwards = chosen_context(), wanted_forwards()
    try:
        with forwarding(context, forwards) as running:
            for each in forwards:
                click.echo(f"localhost:{each.local} is {each.name} ({each.namespace}/{each.service}:{each.port})")
            click.echo("Ctrl-C ends it.")
            watch(running)
    except KeyboardInterrupt:
        click.echo("ended")


@minikube.command()
@click.option("--force", envvar="FORCE", show_envvar=True, is_flag=True, help="Run the stages that are current too.")
@click.option("--patience", type=click.FloatRange(0), default=60, show_default=True, help="Minutes until it gives up.")
@click.option("--pause", type=click.FloatRange(0), default=5, show_default=True, help="Seconds between two looks.")
@click.option(
    "--remote",
    envvar="DVC_REMOTE",
    show_envvar=True,
    default="minikube",
    show_default=True,
    help="As .dvc/config names it.",
)
@talk
def smoke(force: bool, patience: float, pause: float, remote: str) -> None:
    """Run the pipeline of wine-quality in the cluster, wait for it, and read the release back, every byte."""
    from cluster.kubernetes.context import chosen_context
    from cluster.kubernetes.smoke import smoke as library

    done = library(repository(), chosen_context(), remote, force, patience * 60, pause)
    became = "released" if done.is_new else "nothing new, the last release is"
    click.echo(f"{done.workflow}: {became} {done.tag}; all of it is on {remote}, as released")
