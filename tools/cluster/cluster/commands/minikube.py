"""The commands for a cluster of one's own: minikube, or that of KUBE_CONTEXT."""

from pathlib import Path

import click
from data_registry.clone import repository

from cluster.commands.github import RENAMING
from cluster.kubectl import chosen_context


@click.group()
def minikube() -> None:
    """Install the pipelines in minikube, forward ports to its services, test it end to end.

    The cluster is that of kubectl's current context, which must be called minikube, or that of KUBE_CONTEXT.
    """


@minikube.command()
@click.option(
    "--manifests",
    envvar="MANIFESTS",
    show_envvar=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder for kustomize.  [default: compose/argo]",
)
@click.option(
    "--registry",
    envvar="IMAGE_REGISTRY",
    show_envvar=True,
    default="",
    help="Registry that the cluster pulls images from; without it, they are loaded into minikube.",
)
def apply(manifests: Path | None, registry: str) -> None:
    """Install the working tree: images, manifests, templates; list the Secrets that the cluster lacks.

    \b
    Example:
      make minikube-apply
    """
    from cluster.minikube.install import install

    root, context = repository(), chosen_context()
    done = install(root, context, manifests or root / "compose" / "argo", registry)
    click.echo(f"{context}: {done.templates} templates applied; {done.loaded} of {done.images} images loaded")
    click.echo("\n".join(done.missing or ["no secret is missing; next: make minikube-smoke"]))


@minikube.command()
def forward() -> None:
    """Forward ports of this machine to MinIO, pgvector and MLflow in the cluster, until Ctrl-C.

    MINIKUBE_MINIO_SERVICE, MINIKUBE_PGVECTOR_SERVICE and MINIKUBE_MLFLOW_SERVICE (namespace/name:port) set the
    services, MINIKUBE_MINIO_PORT and its like the ports of this machine, MINIKUBE_FORWARD_IP an address to listen on
    beside loopback.

    \b
    Example:
      MINIKUBE_MINIO_SERVICE=storage/minio:9000 make minikube-forward
    """
    from cluster.minikube.forwards import forwarding, read_forwards, watch

    context, forwards = chosen_context(), read_forwards()
    try:
        with forwarding(context, forwards) as processes:
            for entry in forwards:
                click.echo(f"localhost:{entry.local} -> {entry.name} ({entry.address})")
            click.echo("Press Ctrl-C to stop.")
            watch(processes)
    except KeyboardInterrupt:
        click.echo("stopped")


@minikube.command(context_settings=RENAMING)
@click.option("--force", envvar="FORCE", show_envvar=True, is_flag=True, help="Run every stage, stale or not.")
@click.option("--timeout", type=click.FloatRange(0), default=60, show_default=True, help="Minutes to wait at most.")
@click.option("--poll-interval", type=click.FloatRange(0), default=5, show_default=True, help="Seconds between polls.")
@click.option(
    "--remote",
    envvar="DVC_REMOTE",
    show_envvar=True,
    default="minikube",
    show_default=True,
    help="Name of the DVC remote.",
)
def smoke(force: bool, timeout: float, poll_interval: float, remote: str) -> None:
    """Run the pipeline of wine-quality in the cluster, and verify every byte of its release.

    \b
    Example:
      FORCE=1 make minikube-smoke
    """
    from cluster.minikube.smoke import smoke as library

    done = library(repository(), chosen_context(), remote, force, timeout * 60, poll_interval)
    outcome = "released" if done.is_new else "no changes, the last release is"
    click.echo(f"{done.workflow}: {outcome} {done.tag}; verified on {remote}")
