"""How a tool runs in its container. Standard library only."""

import json
import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from launcher.failure import CannotRun
from launcher.mounts import DATA, behind_links, bind
from launcher.toolbox import Tool

NO_TORCH = re.compile(r"torch\.lock.* exit code: 10\b")  # as chunk-embed's Dockerfile ends


def engine_answers() -> bool:
    """Say whether a Docker engine answers."""
    try:
        asked = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def engine_features() -> frozenset[str]:
    """Return what the engine says of its security, as ``rootless`` and ``selinux``; nothing where it says nothing."""
    asked = subprocess.run(["docker", "info", "--format", "{{json .SecurityOptions}}"], capture_output=True)
    try:
        options = json.loads(asked.stdout)
    except ValueError:
        return frozenset()
    texts = options if isinstance(options, list) else []
    return frozenset(str(text).partition(",")[0].removeprefix("name=") for text in texts)


def has_image(image: str) -> bool:
    """Say whether the engine has the image."""
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode == 0


def build_images(root: Path, images: Mapping[str, str]) -> None:
    """Build the images of the named tools with Compose, under the names given. Raises CannotRun."""
    tags = {f"{name.upper().replace('-', '_')}_TAG": image.rpartition(":")[2] for name, image in images.items()}
    command = ["docker", "compose", "--project-directory", str(root), "--profile", "tools", "build", "-q", *images]
    last: deque[str] = deque(maxlen=50)
    environ = {**os.environ, **tags}
    with subprocess.Popen(
        command, cwd=root, env=environ, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        try:
            for line in process.stderr or ():
                last.append(line)
                sys.stderr.write(line)
            process.wait()
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise _build_failure(images, process.returncode, "".join(last))


def _build_failure(images: Mapping[str, str], code: int, text: str) -> CannotRun:
    """Say why images were not built: which, and what to do about it."""
    if not engine_answers():
        return CannotRun(12, "docker", "the engine no longer answers", "start Docker, or RUNTIME=host")
    if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        return CannotRun(10, "docker", "the Compose plugin is missing", "install the Docker Compose plugin")
    missing = ", ".join(name for name, image in images.items() if not has_image(image)) or ", ".join(images)
    if NO_TORCH.search(text):
        what = "PyTorch's package index is not reachable, and WHEELHOUSE has no CPU build of torch"
        return CannotRun(10, "chunk-embed", what, "WHEELHOUSE=a folder that has the wheel")
    if "no space left on device" in text.lower():
        return CannotRun(50, missing, "no space left on Docker's disk", "free some space (docker system df)")
    return CannotRun(1, missing, f"docker compose build failed with exit {code}", "see the lines above")


def docker_command(
    tool: Tool,
    image: str,
    arguments: list[str],
    folder: Path,
    environ: Mapping[str, str],
    network: str = "bridge",
    host: str = "",
    features: frozenset[str] = frozenset(),
) -> list[str]:
    """Return the ``docker run`` for a tool on the dataset in ``folder``, with as few rights as can be.

    ``host``, as ``name:address``, is one more that a tool with a network finds; ``features`` are those of the engine.
    Values of variables stay out of the command line: docker takes them from its own environment. There is no --init:
    a tool is one process that handles SIGTERM itself, as it must in a pod, and not every engine has an init.
    Raises CannotRun where the container cannot see what is in the folder.
    """
    command = ["docker", "run", "--rm", "--interactive", "--read-only", "--tmpfs", "/tmp", "--pids-limit", "512"]  # noqa: S108
    command += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", *_user(features)]
    command += ["--network", network if tool.may_reach(environ) else "none"]
    command += ["--add-host", host] if host and tool.may_reach(environ) else []
    command += [*bind(folder, DATA), *behind_links(folder), "--env", "HOME=/tmp"]
    for name, value in environ.items():
        if name in tool.paths and value and Path(value).exists():
            command += [*bind(value, f"/mnt/{name}", readonly=True), "--env", f"{name}=/mnt/{name}"]
        else:
            command += ["--env", name]
    return [*command, image, *arguments]


def _user(features: frozenset[str]) -> list[str]:
    """Return the options under which what the container writes belongs to the caller, and it reads what they may."""
    # Under SELinux a container reads nothing of the machine; a label on the user's files would outlive it.
    labels = ["--security-opt", "label=disable"] if "selinux" in features else []
    if "rootless" in features:
        return ["--user", "0:0", *labels]  # which is the caller outside
    remapped = ["--userns", "host"] if "userns" in features else []
    groups = [each for group in sorted({*os.getgroups()} - {os.getgid()}) for each in ("--group-add", str(group))]
    return ["--user", f"{os.getuid()}:{os.getgid()}", *groups, *remapped, *labels]
