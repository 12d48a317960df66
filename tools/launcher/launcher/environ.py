"""ENV=local|docker|minikube: the addresses and credentials of an environment. Standard library only.

``.env.docker`` and ``.env.minikube`` hold them; what the environment already says wins. ``local`` has no file: its
remote is a folder, and its services are embedded.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from data_registry.clone import NAMES, variables_of

NETWORK = f"{os.environ.get('COMPOSE_PROJECT_NAME', 'data-registry')}_default"  # Compose's own name for it

# What containers in the Compose network call the services that .env.docker has on localhost.
IN_NETWORK = {
    "AWS_ENDPOINT_URL": "http://minio:9000",
    "PGVECTOR_HOST": "pgvector",
    "PGVECTOR_PORT": "5432",
    "MLFLOW_TRACKING_URI": "http://mlflow:5000",
}

LOOPBACK = re.compile(r"^(https?://)?(localhost|127\.0\.0\.1)(:\d+)?/?$")

# What containers call this machine, to whose ports `make minikube-forward` leads a cluster's services.
FORWARDED = "minikube.host"


def load_environment(root: Path) -> str:
    """Add the variables of the environment that ENV names to ``os.environ``, and return its name.

    Raises ValueError for an unknown name.
    """
    name = os.environ.get("ENV") or "local"
    if name not in NAMES:
        raise ValueError(name)
    for variable, value in variables_of(root, name).items():
        os.environ.setdefault(variable, value)
    return name


def inside_network(environ: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the variables with the addresses of this machine replaced by those that containers see.

    The services may be on ports of the user's choice: MINIO_PORT, PGVECTOR_PORT, MLFLOW_PORT.
    """
    on_localhost = variables_of(root, "docker")
    given = {**on_localhost, **environ}
    moved = {name for name in IN_NETWORK if LOOPBACK.search(given.get(name, ""))}
    if "PGVECTOR_HOST" in moved:
        moved.add("PGVECTOR_PORT")
    return {name: IN_NETWORK[name] if name in moved else value for name, value in environ.items()}


def through_forwards(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with the addresses of this machine as containers have them."""
    return {
        name: LOOPBACK.sub(rf"\g<1>{FORWARDED}\g<3>", value) if name in IN_NETWORK else value
        for name, value in environ.items()
    }


def forwarded_host(environ: Mapping[str, str]) -> str:
    """Return the entry of a container's hosts for this machine: at MINIKUBE_FORWARD_IP, or where Docker says."""
    return f"{FORWARDED}:{environ.get('MINIKUBE_FORWARD_IP') or 'host-gateway'}"
