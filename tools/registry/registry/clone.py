"""The clone of the registry around the current folder, and what its ``.env.*`` files say."""

import os
from pathlib import Path

NAMES = ("local", "docker", "minikube")  # of environments: values of ENV


def repository() -> Path:
    """Return the repository's root: REGISTRY_ROOT, or the nearest folder upwards that has ``tools/run``."""
    if given := os.environ.get("REGISTRY_ROOT"):
        return Path(given)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "tools" / "run").is_file():
            return folder
    raise FileNotFoundError(2, "not inside a data registry", str(Path.cwd()))


def variables_of(root: Path, name: str) -> dict[str, str]:
    """Return the variables of an environment's file."""
    path = root / f".env.{name}"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
