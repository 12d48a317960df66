"""ENV=local|docker|minikube: the addresses and credentials of an environment. Standard library only.

``.env.docker`` and ``.env.minikube`` hold them; what the environment already says wins. ``local`` has no file: its
remote is a folder, and its services are embedded.
"""

import os
from collections.abc import Mapping
from pathlib import Path

NAMES = ("local", "docker", "minikube")
NETWORK = f"{os.environ.get('COMPOSE_PROJECT_NAME', 'data-registry')}_default"  # Compose's own name for it

# What containers in the Compose network call the services that .env.docker has on localhost.
IN_NETWORK = {
    "AWS_ENDPOINT_URL": "http://minio:9000",
    "PGVECTOR_HOST": "pgvector",
    "PGVECTOR_PORT": "5432",
    "MLFLOW_TRACKING_URI": "http://mlflow:5000",
}


def load_environment(root: Path) -> str:
    """Add the variables of the environment that ENV names to ``os.environ``, and return its name.

    Raises ValueError for an unknown name.
    """
    name = os.environ.get("ENV") or "local"
    if name not in NAMES:
        raise ValueError(name)
    for variable, value in _variables(root, name).items():
        os.environ.setdefault(variable, value)
    return name


def inside_network(environ: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the variables with the addresses of .env.docker replaced by those that containers see."""
    on_localhost = _variables(root, "docker")
    return {
        variable: IN_NETWORK[variable] if variable in IN_NETWORK and on_localhost.get(variable) == value else value
        for variable, value in environ.items()
    }


def _variables(root: Path, name: str) -> dict[str, str]:
    path = root / f".env.{name}"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
