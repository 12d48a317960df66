"""Run a tool in its container, or in its own virtual environment: the one place that knows how.

Standard library only. RUNTIME=container or RUNTIME=host chooses; without it, a container where an engine answers.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from launcher.containers import build_images, docker_command, engine_answers, engine_features, has_image
from launcher.environ import NETWORK, forwarded_host, inside_network, load_environment, through_forwards
from launcher.failure import CannotRun
from launcher.images import read_images
from launcher.toolbox import Tool, with_tests
from launcher.variables import declared, on_host
from launcher.virtualenvs import hold, virtualenv

USAGE = "tools/run TOOL ARGS...  (RUNTIME=container|host)"

# Until the tool itself can print that it was interrupted, Ctrl-C ends it silently, without a traceback.
LAUNCHER = """\
import signal, sys
caught = signal.getsignal(signal.SIGINT)
if caught is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.path[:0] = {folders}
sys.argv[0] = {name!r}
from {module}.cli import cli
signal.signal(signal.SIGINT, caught)
cli()
"""


def main(arguments: list[str]) -> NoReturn:
    """Replace this process by the tool, or end with one error line."""
    root = Path(__file__).resolve().parents[3]
    tools = with_tests(root)
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(f"Usage: {USAGE}\n\nTools: {', '.join(tools)}", file=sys.stderr)
        sys.exit(0 if arguments else 2)
    name, *rest = arguments
    try:
        load_environment(root)
    except ValueError as error:
        _fail(2, "ENV", f"{error} is unknown", "ENV=local, docker or minikube")
    if name not in tools:
        _fail(2, "tools/run", f"no tool {name}", f"use one of: {', '.join(tools)}")
    try:
        run(tools[name], rest, root)
    except CannotRun as error:
        _fail(error.code, error.where, error.what, error.fix)
    except KeyboardInterrupt:
        _fail(130, name, "interrupted", "run it again")
    except subprocess.CalledProcessError as error:
        command = " ".join(str(part) for part in error.cmd[:3])
        _fail(1, name, f"{command} ... failed with exit {error.returncode}", "see the lines above")


def run(tool: Tool, arguments: list[str], root: Path) -> NoReturn:
    """Run a tool on the current folder."""
    if tool.database and _is_at_work(arguments) and _is_embedded():
        itself = str(root / "tools" / "run")
        os.execv(itself, [itself, "registry", "with-services", "--", itself, tool.name, *arguments])
    if tool.in_container:
        environ = declared(tool, root)
        image = _current_image(tool, root)
        embedded = tool.database and environ.get("PGVECTOR_HOST", "").startswith("/")  # a socket of this machine
        if _runtime() == "container" and not embedded:
            if not has_image(image):
                print(f"{tool.name}: building {image} (once)", file=sys.stderr, flush=True)
                build_images(root, {tool.name: image})
            network = NETWORK if tool.may_reach(environ) and os.environ.get("ENV") == "docker" else "bridge"
            environ = inside_network(environ, root) if network == NETWORK else environ
            host = ""
            if os.environ.get("ENV") == "minikube":
                environ, host = through_forwards(environ), forwarded_host(os.environ)
            features = engine_features()
            command = docker_command(tool, image, arguments, Path.cwd(), environ, network, host, features)
            os.execvpe("docker", command, {**os.environ, **environ})
    environment = virtualenv(tool, root)
    hold(environment)
    programs = environment / "bin"
    if tool.name == "tests":
        command = _program(programs, arguments)
    else:
        command = [str(programs / "python"), "-P", "-c", _launcher(tool), *arguments]
    os.execve(command[0], command, on_host(tool, root, programs))


def _program(programs: Path, arguments: list[str]) -> list[str]:
    """Return the command of a program of the tests' environment."""
    if not arguments:
        _fail(2, "tools/run tests", "no program given", "tools/run tests pytest tests/unit")
    path = programs / arguments[0]
    if not path.is_file():
        _fail(2, "tools/run tests", f"no program {arguments[0]}", f"use one in {programs}")
    return [str(path), *arguments[1:]]


def _is_at_work(arguments: list[str]) -> bool:
    """Say whether a tool is to do something, rather than to tell how it is used."""
    return bool(arguments) and not arguments[0].startswith("-") and "--help" not in arguments


def _is_embedded() -> bool:
    """Say whether the vector index is the one of ENV=local, and is not up yet."""
    return (os.environ.get("ENV") or "local") == "local" and "PGVECTOR_HOST" not in os.environ


def _launcher(tool: Tool) -> str:
    """Return the program that a console script would be, for code that is run from where it is."""
    folders = [str(package) for package in tool.packages]
    module = tool.name.replace("-", "_")
    return LAUNCHER.format(folders=folders, name=tool.name, module=module)


def _current_image(tool: Tool, root: Path) -> str:
    """Return the image of a tool from data/images.yaml, which must be of the sources at hand."""
    image = tool.image()
    if read_images(root).get(tool.name) != image:
        _fail(40, "data/images.yaml", f"{tool.name} has changed since it was written", "make images")
    return image


def _runtime() -> str:
    chosen = os.environ.get("RUNTIME", "")
    if chosen not in {"", "container", "host"}:
        _fail(2, "RUNTIME", f"{chosen!r} is unknown", "RUNTIME=container or RUNTIME=host")
    return chosen or ("container" if engine_answers() else "host")


def _fail(code: int, where: str, what: str, fix: str) -> NoReturn:
    print(f"error: {where}: {what}; fix: {fix}", file=sys.stderr)
    sys.exit(code)
