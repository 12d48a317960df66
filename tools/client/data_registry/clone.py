"""A clone of the registry: its root, the environments that ``ENV`` may name, and git's variables.

Standard library only, for the launcher, which runs before anything is installed, reads this module too.
"""

import os
from pathlib import Path

NAMES = ("local", "docker", "minikube")

# `git rev-parse --local-env-vars`, without GIT_CONFIG_PARAMETERS and GIT_CONFIG_COUNT, which are the user's settings:
# where a hook, or git in a linked worktree, says that its own repository is. And GIT_QUARANTINE_PATH, of a hook that
# receives a push: no ref may change then, in any repository.
GIT_LOCATIONS = frozenset(
    {
        *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_DIR", "GIT_GRAFT_FILE"),
        *("GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NAMESPACE"),
        *("GIT_NO_REPLACE_OBJECTS", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_QUARANTINE_PATH"),
        *("GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE"),
    }
)


def repository() -> Path:
    """Return the clone's root: REGISTRY_ROOT, or the nearest folder upwards that has ``tools/run``.

    Raises FileNotFoundError outside a clone.
    """
    if given := os.environ.get("REGISTRY_ROOT"):
        return Path(given)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "tools" / "run").is_file():
            return folder
    raise FileNotFoundError(2, "not inside a data registry", str(Path.cwd()))


def variables_of(root: Path, name: str) -> dict[str, str]:
    """Return the variables of an environment's file, ``.env.<name>``; none where there is no such file."""
    path = root / f".env.{name}"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
