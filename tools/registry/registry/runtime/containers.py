"""How a tool runs in its container. Standard library only."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from registry.runtime.toolbox import Tool


def engine_answers() -> bool:
    """Say whether a Docker engine answers."""
    try:
        asked = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, timeout=20
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def has_image(image: str) -> bool:
    """Say whether the engine has the image."""
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode == 0


def build_images(root: Path, images: Mapping[str, str]) -> None:
    """Build the images of the named tools with Compose, under the names given. Raises CalledProcessError."""
    tags = {f"{name.upper().replace('-', '_')}_TAG": image.rpartition(":")[2] for name, image in images.items()}
    command = ["docker", "compose", "--project-directory", str(root), "--profile", "tools", "build", "-q", *images]
    subprocess.run(command, check=True, cwd=root, env={**os.environ, **tags}, stdout=sys.stderr)


def docker_command(
    tool: Tool,
    image: str,
    arguments: list[str],
    folder: Path,
    environ: Mapping[str, str],
    network: str = "bridge",
    host: str = "",
) -> list[str]:
    """Return the ``docker run`` for a tool on the dataset in ``folder``, with as few rights as can be.

    ``host``, as ``name:address``, is one more that a tool with a network finds.
    Values of variables stay out of the command line: docker takes them from its own environment. There is no --init:
    a tool is one process that handles SIGTERM itself, as it must in a pod, and not every engine has an init.
    """
    command = ["docker", "run", "--rm", "--interactive", "--read-only", "--tmpfs", "/tmp", "--pids-limit", "512"]  # noqa: S108
    command += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    command += ["--user", f"{os.getuid()}:{os.getgid()}", "--network", network if tool.may_reach(environ) else "none"]
    command += ["--add-host", host] if host and tool.may_reach(environ) else []
    command += ["--volume", f"{folder}:/data", "--env", "HOME=/tmp"]
    for name, value in environ.items():
        if name in tool.paths and Path(value).exists():
            command += ["--volume", f"{value}:/mnt/{name}:ro", "--env", f"{name}=/mnt/{name}"]
        else:
            command += ["--env", name]
    return [*command, image, *arguments]
