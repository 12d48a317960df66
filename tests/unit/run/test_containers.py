"""What a tool in a container sees of the machine, and what is said where no container can be had."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import environ, make_clone
from launcher.containers import docker_command
from launcher.toolbox import Tool, read_tool
from unit.run.probe import run

ODD = "a b, c:d 'e' \"f\" é"
BASE = os.environ.get("PYTHON_IMAGE", "python:3.11-slim-bookworm")
READER = """\
import json, os, sys
found = {}
for folder, names, files in os.walk("/data"):
    for name in names + files:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            found[os.path.relpath(path, "/data")] = open(path).read()
        elif not os.path.isdir(path):
            found[os.path.relpath(path, "/data")] = None
for name in sorted(sys.argv[1:]):
    try:
        open(name, "a").close()
        found["written"] = name
    except OSError:
        pass
mirror = os.environ.get("PROBE_PATH")
print(json.dumps({"files": found, "mirror": os.listdir(mirror) if mirror else None, "groups": os.getgroups()}))
"""


@pytest.fixture
def container(tree: Path) -> Path:
    """The repository, whose tool has an image, in which it tells what it sees."""
    folder = tree / "tools/probe"
    (folder / "probe.py").write_text(READER)
    (folder / "Dockerfile").write_text(f'FROM {BASE}\nCOPY probe.py /\nENTRYPOINT ["python3", "/probe.py"]\n')
    image = read_tool(folder).image()
    (tree / "data/images.yaml").write_text(f"images:\n  probe: {image}\n")
    subprocess.run(["docker", "build", "-q", "-t", image, folder], check=True, capture_output=True)
    return tree


@pytest.mark.docker
def test_container_sees_what_links_lead_to(container: Path, tmp_path: Path) -> None:
    """Outputs are links with cache.type = symlink; the cache may be anywhere, and so may the clone."""
    dataset, cache, mirror = (tmp_path / ODD / name for name in ("clone/data/letters", "cache", "mirror"))
    stored = cache / "files/md5/ab/cdef"
    for path in (stored, mirror / "first", tmp_path / "own/one.txt", dataset / "raw/plain.txt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    (dataset / "raw/cached.txt").symlink_to(stored)
    (dataset / "again.txt").symlink_to("raw/plain.txt")
    (dataset / "outside.txt").symlink_to(os.path.relpath(mirror / "first", dataset))
    (dataset / "folder").symlink_to(tmp_path / "own")
    (dataset / "broken").symlink_to(tmp_path / "nowhere")
    done = run(
        container, "probe", str(stored), cwd=dataset, RUNTIME="container", PROBE_PATH=str(mirror), PROBE_SECRET="s"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["files"] == {
        "raw/plain.txt": "plain.txt",
        "raw/cached.txt": "cdef",
        "again.txt": "plain.txt",
        "outside.txt": "first",
        "broken": None,
    }
    assert told["mirror"] == ["first"]
    assert stored.read_text() == "cdef"


ENGINE = """\
if sys.argv[1] == "info":
    print(os.environ["FEATURES"])
if sys.argv[1] == "run":
    print(json.dumps(sys.argv))
"""


def told_to_docker(tree: Path, folder: Path, features: str = "null", **variables: str) -> list[str]:
    """Return the command that docker got."""
    stand_in(
        tree,
        "if sys.argv[1] == 'info': print(os.environ['FEATURES'])\nif sys.argv[1] == 'run': print(json.dumps(sys.argv))",
    )
    done = run(tree, "probe", "go", cwd=folder, **docker(tree), FEATURES=features, RUNTIME="container", **variables)
    assert done.returncode == 0, done.stderr
    told: list[str] = json.loads(done.stdout)
    return told


def stand_in(tree: Path, program: str) -> None:
    """Put a program in the place of docker."""
    path = tree / "bin/docker"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{program}\n")
    path.chmod(0o755)


def docker(tree: Path) -> dict[str, str]:
    return {"PATH": f"{tree / 'bin'}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("features", "options"),
    [
        ("null", f"--user {os.getuid()}:{os.getgid()}"),
        ("no JSON", f"--user {os.getuid()}:{os.getgid()}"),
        ('["name=seccomp,profile=builtin", "name=rootless"]', "--user 0:0 --network"),
        ('["name=selinux"]', "--security-opt label=disable"),
        ('["name=userns"]', "--userns host"),
    ],
)
def test_what_the_container_writes_belongs_to_the_caller(
    tree: Path, tmp_path: Path, features: str, options: str
) -> None:
    assert options in " ".join(told_to_docker(tree, tmp_path, features))


def test_empty_path_is_not_mounted(tree: Path, tmp_path: Path) -> None:
    command = told_to_docker(tree, tmp_path, PROBE_PATH="")
    assert command[command.index("PROBE_PATH") - 1] == "--env"
    assert [each for each in command if "/mnt/" in each] == []


def test_links_that_a_container_cannot_follow_are_refused(tree: Path, tmp_path: Path) -> None:
    stand_in(tree, "")
    many = tmp_path / "many"
    many.mkdir()
    for number in range(40):
        (tmp_path / f"{number}.txt").write_text("x")
        (many / f"{number}.txt").symlink_to(tmp_path / f"{number}.txt")
    refused = run(tree, "probe", "go", cwd=many, **docker(tree), RUNTIME="container")
    assert refused.returncode == 2
    assert refused.stderr == (
        f"error: {many}: has links to 40 places outside of it; fix: put the files there, or RUNTIME=host\n"
    )


NO_IMAGE = """\
if sys.argv[1:3] == ["image", "inspect"]:
    sys.exit(1)
if sys.argv[1] == "compose" and "build" in sys.argv:
    print("failed to solve: " + os.environ["SAID"], file=sys.stderr, flush=True)
    os.environ.get("SLOW") and time.sleep(60)
    open(sys.argv[0] + ".built", "w").close()
    sys.exit(17)
if sys.argv[1:3] == ["compose", "version"]:
    sys.exit(int(os.environ.get("NO_COMPOSE", "0")))
if sys.argv[1] == "version":
    sys.exit(int(os.path.exists(sys.argv[0] + ".built") and os.environ.get("AWAY", "0")))
"""


@pytest.mark.parametrize(
    ("variables", "code", "line"),
    [
        ({}, 1, "{tools}: docker compose build failed with exit 17; fix: see the lines above"),
        (
            {"SAID": "write /x: no space left on device"},
            50,
            "{tools}: no space left on Docker's disk; fix: free some space (docker system df)",
        ),
        (
            {"SAID": "$pip --index-url $TORCH_INDEX -r torch.lock || exit 10; did not complete: exit code: 10"},
            10,
            "chunk-embed: PyTorch's package index is not reachable, and WHEELHOUSE has no CPU build of torch; "
            "fix: WHEELHOUSE=a folder that has the wheel",
        ),
        ({"NO_COMPOSE": "1"}, 10, "docker: the Compose plugin is missing; fix: install the Docker Compose plugin"),
        ({"AWAY": "1"}, 12, "docker: the engine no longer answers; fix: start Docker, or RUNTIME=host"),
    ],
)
def test_failed_build_is_one_line(tree: Path, tmp_path: Path, variables: dict[str, str], code: int, line: str) -> None:
    stand_in(tree, NO_IMAGE)
    known = {**docker(tree), "SAID": "no such thing", **variables}
    failed = run(tree, "probe", "go", cwd=tmp_path, RUNTIME="container", **known)
    assert failed.returncode == code, failed.stderr
    lines = failed.stderr.splitlines()
    assert lines[-1] == "error: " + line.format(tools="probe")
    assert f"failed to solve: {known['SAID']}" in lines and "Traceback" not in failed.stderr


def test_make_images_names_the_tools_without_an_image(root: Path, tmp_path: Path) -> None:
    clone = make_clone(root, tmp_path / "clone")
    stand_in(tmp_path, NO_IMAGE)
    known = environ(root, **docker(tmp_path), SAID="no such thing")
    failed = subprocess.run(["tools/run", "registry", "images"], cwd=clone, env=known, text=True, capture_output=True)
    tools = "chunk-embed, fetcher, parquetizer, pgloader, stats, cluster"
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    assert failed.stderr.splitlines()[-1] == (
        f"error: {tools}: docker compose build failed with exit 17; fix: see the lines above"
    )


def test_interrupt_while_an_image_is_built_is_one_line(tree: Path, tmp_path: Path) -> None:
    stand_in(tree, NO_IMAGE)
    known = {**environ(tree, RUNTIME="container"), **docker(tree), "SAID": "so far", "SLOW": "1"}
    with subprocess.Popen(
        [tree / "tools/run", "probe", "go"],
        cwd=tmp_path,
        env=known,
        text=True,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's jobs ignore it
    ) as process:
        assert process.stderr
        while "so far" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "error: probe: interrupted; fix: run it again\n"
        assert process.wait() == 130


def test_supplementary_groups_are_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group's clone is writable by its group alone, which need not be anybody's first one."""
    monkeypatch.setattr(os, "getgroups", lambda: [os.getgid(), 4321, 1234])
    tool = Tool("probe", tmp_path, (), False, (), (), False)
    assert "--group-add 1234 --group-add 4321" in " ".join(docker_command(tool, "image", [], tmp_path, {}))
