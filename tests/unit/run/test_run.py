"""tools/run: what reaches a tool, in which runtime, and what is refused."""

import ast
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from conftest import environ
from launcher.containers import docker_command
from launcher.images import refresh_images
from launcher.toolbox import Tool, read_tool
from launcher.virtualenvs import environment_name, environments
from unit.run.probe import PROJECT, python, run, stamped
from worlds.shells import OLD_PYTHON


def test_tool_gets_its_arguments_its_folder_and_only_declared_variables(tree: Path, tmp_path: Path) -> None:
    shown = run(stamped(tree), "probe", "--flag", "a b", "$(x)", cwd=tmp_path, PROBE_SECRET="s", OTHER_SECRET="t")
    told = json.loads(shown.stdout)
    assert told["argv"] == ["probe", "--flag", "a b", "$(x)"] and told["cwd"] == str(tmp_path)
    assert told["env"]["PROBE_SECRET"] == "s" and "t" not in told["env"].values()
    assert not {"OTHER_SECRET", "REGISTRY_ENVS", "RUNTIME", "PYTHONPATH"} & set(told["env"])


@pytest.mark.parametrize(
    ("given", "arrives"),
    [
        ("../mirror", "{tree}/../mirror"),
        ("/abs/x", "/abs/x"),
        ("https://h/x", "https://h/x"),
        ("s3://b/x", "s3://b/x"),
        ("", ""),
    ],
)
def test_relative_paths_start_at_the_repository(tree: Path, tmp_path: Path, given: str, arrives: str) -> None:
    told = json.loads(run(stamped(tree), "probe", cwd=tmp_path, PROBE_PATH=given).stdout)
    expected = arrives.format(tree=tree)
    assert told["env"]["PROBE_PATH"] == (os.path.normpath(expected) if expected.startswith(str(tree)) else expected)


def test_a_file_in_the_data_folder_is_not_imported(tree: Path, tmp_path: Path) -> None:
    """A dataset may hold json.py; the tool must not run it."""
    (tmp_path / "json.py").write_text("raise SystemExit('imported')")
    assert run(stamped(tree), "probe", cwd=tmp_path).returncode == 0


def test_changed_tool_is_not_run_under_its_old_name(tree: Path) -> None:
    (stamped(tree) / "tools/probe/probe/more.py").write_text("")
    refused = run(tree, "probe")
    assert refused.returncode == 40 and refused.stdout == ""
    assert refused.stderr == "error: data/images.yaml: probe has changed since it was written; fix: make images\n"


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        ([], 2, "Usage: tools/run TOOL ARGS..."),
        (["--help"], 0, "Usage: tools/run TOOL ARGS..."),
        (["nope"], 2, "error: tools/run: no tool nope; fix: use one of: probe, tests"),
        (["../probe"], 2, "error: tools/run: no tool ../probe; fix: use one of: probe, tests"),
    ],
)
def test_usage(tree: Path, arguments: list[str], code: int, line: str) -> None:
    shown = run(tree, *arguments)
    assert shown.returncode == code and shown.stderr.startswith(line)


def test_unknown_runtime_is_usage(tree: Path) -> None:
    refused = run(stamped(tree), "probe", RUNTIME="pod")
    assert refused.returncode == 2
    assert refused.stderr == "error: RUNTIME: 'pod' is unknown; fix: RUNTIME=container or RUNTIME=host\n"


def test_without_an_engine_the_tool_runs_on_the_host(tree: Path) -> None:
    shown = run(stamped(tree), "probe", RUNTIME="", DOCKER_HOST="unix:///nowhere.sock")
    assert json.loads(shown.stdout)["argv"] == ["probe"]


def test_container_has_as_few_rights_as_can_be(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    tool = Tool("probe", tmp_path, (), False, ("PROBE_PATH", "PROBE_SECRET"), ("PROBE_PATH",), False)
    given = {"PROBE_PATH": str(mirror), "PROBE_SECRET": "s3cret"}
    command = docker_command(tool, "image:tag", ["go", "--now"], tmp_path, given)
    text = " ".join(command)
    for part in (
        "--interactive",  # stdin arrives, as on the host
        "--read-only",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        "--network none",
        "--pids-limit",
        f"--user {os.getuid()}:{os.getgid()}",
        f"--mount type=bind,source={tmp_path},target=/data ",
        f"--mount type=bind,source={mirror},target=/mnt/PROBE_PATH,readonly --env PROBE_PATH=/mnt/PROBE_PATH",
        "--env PROBE_SECRET ",
    ):
        assert part in text
    assert command[-3:] == ["image:tag", "go", "--now"]
    assert "s3cret" not in text and "docker.sock" not in text and "host" not in text


def test_only_a_tool_that_needs_it_has_a_network(tmp_path: Path) -> None:
    tool = Tool("probe", tmp_path, (), True, (), (), False)
    command = docker_command(tool, "image", [], tmp_path, {})
    assert command[command.index("--network") + 1] == "bridge"


@pytest.mark.parametrize(
    ("wanted", "environ", "network"),
    [
        (("HUB",), {}, "none"),
        (("HUB",), {"HUB": "x"}, "bridge"),
        (("OFFLINE=0",), {}, "none"),
        (("OFFLINE=0",), {"OFFLINE": "1"}, "none"),
        (("OFFLINE=0",), {"OFFLINE": "0"}, "bridge"),
        (("HUB", "OFFLINE=0"), {"OFFLINE": "0"}, "bridge"),
    ],
)
def test_a_network_may_depend_on_what_is_asked_for(
    tmp_path: Path, wanted: tuple[str, ...], environ: dict[str, str], network: str
) -> None:
    tool = Tool("probe", tmp_path, (), wanted, ("HUB", "OFFLINE"), (), False)
    command = docker_command(tool, "image", [], tmp_path, environ)
    assert command[command.index("--network") + 1] == network


def test_the_users_other_python_and_repository_reach_no_tool(tree: Path, tmp_path: Path) -> None:
    """The tests get all variables, as the registry does, but those that would change what Python and git do."""
    with mock.patch.dict(os.environ, {"REGISTRY_ENVS": str(tree / ".venvs")}):
        programs = environments(tree) / environment_name(read_tool(tree / "tests"), tree, python(tree)) / "bin"
    subprocess.run([python(tree).path, "-m", "venv", "--without-pip", programs.parent], check=True)
    (programs.parent / ".made").touch()
    (tmp_path / "json.py").write_text("raise SystemExit('imported')")
    given = {"PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nowhere", "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2"}
    given |= {"VIRTUAL_ENV": "/nowhere", "GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "x", "SHELL": "/bin/false"}
    kept = {"PYTHONHASHSEED": "7", "GIT_AUTHOR_NAME": "t", "GIT_CONFIG_COUNT": "0", "MINE": "m"}
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    done = run(tree, "tests", "python", "-c", program, cwd=tree, **given, **kept)
    told = json.loads(done.stdout)
    assert {name: told[name] for name in kept} == kept
    assert not {*given} & {*told} - {"SHELL"} and told["SHELL"] == "/bin/sh"
    assert told["PYTHONUTF8"] == "1" and told["PATH"].startswith(f"{programs}:")
    for arguments, what in ([], "no program given"), (["nope"], "no program nope"):
        done = run(tree, "tests", *arguments)
        assert done.returncode == 2 and done.stderr.startswith(f"error: tools/run tests: {what}; fix: ")


def test_an_older_python_finds_the_right_one_or_says_so(root: Path, tree: Path, tmp_path: Path) -> None:
    older = OLD_PYTHON.format(python=shlex.quote(os.path.realpath(sys.executable)))
    (tmp_path / "python3").write_text(older)
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / "python3.14").write_text("#!/bin/sh\nexit 127\n")  # a stub, as pyenv has them
    (tmp_path / "python3.14").chmod(0o755)
    stamped(tree)
    assert run(tree, "probe", PATH=f"{tmp_path}:{os.environ['PATH']}").returncode == 0
    (tmp_path / "env").symlink_to("/usr/bin/env")
    done = run(tree, "probe", PATH=str(tmp_path))
    assert done.returncode == 10
    fix = "install python3.13 (with its venv module), or another from 3.11 to 3.14"
    assert done.stderr == f"error: tools/run: Python 3.11 or later not found; fix: {fix}\n"
    ast.parse((root / "tools/run").read_text(), feature_version=(3, 4))


@pytest.mark.parametrize("closed", [(0,), (0, 1), (0, 1, 2)], ids=str)
def test_closed_streams_are_no_files_of_the_tool(tree: Path, tmp_path: Path, closed: tuple[int, ...]) -> None:
    """A descriptor that is closed would be that of the next file which is opened."""
    target = tmp_path / "told"
    program = "[os.readlink(f'/dev/fd/{n}') for n in range(3)]"
    (tree / "tools/probe/probe/cli.py").write_text(
        f"import os\ndef cli(): open({str(target)!r}, 'w').write(str({program}))\n"
    )
    refresh_images(tree)
    known = {**environ(stamped(tree), RUNTIME="host"), "REGISTRY_ENVS": str(tree / ".venvs")}

    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    done = subprocess.run([tree / "tools/run", "probe"], env=known, preexec_fn=close)
    assert done.returncode == 0
    assert all(ast.literal_eval(target.read_text())[each] == "/dev/null" for each in closed)


def test_signal_that_ends_a_tool_is_how_the_command_ends(tree: Path) -> None:
    (tree / "tools/probe/probe/cli.py").write_text(
        "import os, signal\ndef cli(): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    refresh_images(tree)
    assert run(stamped(tree), "probe").returncode == -signal.SIGKILL


def interrupted(tree: Path, before: str) -> tuple[int, str]:
    """Interrupt tools/run once it has said a line; return its exit code and the rest that it says."""
    known = {**environ(tree, RUNTIME="host"), "REGISTRY_ENVS": str(tree / ".venvs")}
    with subprocess.Popen(
        [tree / "tools/run", "probe"],
        env=known,
        text=True,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's jobs ignore it
    ) as process:
        assert process.stderr and process.stderr.readline() == f"{before}\n"
        process.send_signal(signal.SIGINT)
        return process.wait(), process.stderr.read()


WAITING = "import sys, time; print('there', file=sys.stderr, flush=True); time.sleep(60)"


def test_an_interrupt_while_a_tool_is_loaded_prints_no_traceback(tree: Path) -> None:
    (tree / "tools/probe/probe/cli.py").write_text(WAITING)
    refresh_images(tree)
    assert interrupted(stamped(tree), "there") == (-signal.SIGINT, "")


def test_a_tool_at_work_hears_an_interrupt(tree: Path) -> None:
    (tree / "tools/probe/probe/cli.py").write_text(
        f"def cli():\n    try:\n        {WAITING}\n    except KeyboardInterrupt:\n        sys.exit('heard')\n"
    )
    refresh_images(tree)
    assert interrupted(stamped(tree), "there") == (1, "heard\n")


def test_an_interrupt_while_an_environment_is_made_is_one_line(tree: Path) -> None:
    chosen = python(tree)
    told = interrupted(tree, f"probe: making its environment (once) with Python 3.{chosen.minor} ({chosen.path})")
    assert told == (130, "error: probe: interrupted; fix: run it again\n")


@pytest.fixture
def database(tree: Path) -> Path:
    """The tree, whose tool works on the vector index; a registry stands by that starts one."""
    pyproject = tree / "tools/probe/pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"PROBE_PATH", "', '"PGVECTOR_HOST", "') + "database = true\n")
    refresh_images(tree)
    registry = tree / "tools/registry"
    (registry / "registry").mkdir(parents=True)
    (registry / "requirements.lock").write_text("")
    (registry / "registry/cli.py").write_text(STARTER)
    (registry / "pyproject.toml").write_text(
        f'{PROJECT}[tool.data-registry]\nshared = []\nnetwork = true\nenv = ["*"]\npaths = []\n'
    )
    return stamped(tree)


STARTER = """\
import os, subprocess, sys
def cli():
    assert sys.argv[1:3] == ["with-services", "--"]
    sys.exit(subprocess.run(sys.argv[3:], env={**os.environ, "PGVECTOR_HOST": "/run/started"}).returncode)
"""


def test_the_embedded_index_is_up_while_a_tool_works_on_it(database: Path, tmp_path: Path) -> None:
    told = json.loads(run(database, "probe", "load", "a b", cwd=tmp_path).stdout)
    assert told["env"]["PGVECTOR_HOST"] == "/run/started" and told["argv"] == ["probe", "load", "a b"]
    assert told["cwd"] == str(tmp_path)


@pytest.mark.parametrize("arguments", [("--help",), ("load", "--help"), ()])
def test_help_needs_no_index(database: Path, arguments: tuple[str, ...]) -> None:
    assert "PGVECTOR_HOST" not in json.loads(run(database, "probe", *arguments).stdout)["env"]


def test_another_index_is_not_started(database: Path) -> None:
    told = json.loads(run(database, "probe", "load", PGVECTOR_HOST="db.example").stdout)
    assert told["env"]["PGVECTOR_HOST"] == "db.example"


def test_a_build_that_no_index_has_is_asked_for_before_anything_is_fetched(tree: Path) -> None:
    hashes = " \\\n    --hash=sha256:" + "0" * 64 + "\n"
    (tree / "tools/probe/requirements.lock").write_text(f"click==8.5.1{hashes}no-such-package==2.0+cpu{hashes}")
    refresh_images(tree)
    refused = run(tree, "probe", "go")
    assert refused.returncode == 10
    assert refused.stderr.splitlines()[-1] == (
        "error: probe: no package index at hand has no-such-package==2.0+cpu; fix: "
        "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu, or PIP_FIND_LINKS=a folder that has the wheel"
    )


DOCKER = """\
#!{python}
import json, os, sys
if sys.argv[1] == "run":
    print(json.dumps({{"argv": sys.argv, "env": dict(os.environ)}}))
"""


@pytest.mark.parametrize(
    ("given", "host"), [({}, "host-gateway"), ({"MINIKUBE_FORWARD_IP": "172.17.0.1"}, "172.17.0.1")]
)
def test_a_container_finds_what_is_forwarded_from_a_cluster(
    tree: Path, tmp_path: Path, given: dict[str, str], host: str
) -> None:
    """Its localhost is its own: the ports of make minikube-forward are this machine's."""
    pyproject = tree / "tools/probe/pyproject.toml"
    text = pyproject.read_text().replace("network = false", "network = true")
    pyproject.write_text(
        text.replace('"PROBE_PATH", "PROBE_SECRET"', '"PGVECTOR_HOST", "PGVECTOR_PORT", "AWS_ENDPOINT_URL"')
    )
    refresh_images(tree)
    (tree / ".env.minikube").write_text("PGVECTOR_HOST=localhost\nPGVECTOR_PORT=15432\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(DOCKER.format(python=sys.executable))
    (tmp_path / "bin/docker").chmod(0o755)
    given = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "AWS_ENDPOINT_URL": "http://localhost:19000", **given}
    told = json.loads(run(tree, "probe", "go", cwd=tree, ENV="minikube", RUNTIME="container", **given).stdout)
    assert told["argv"][told["argv"].index("--add-host") + 1] == f"minikube.host:{host}"
    assert told["env"]["PGVECTOR_HOST"] == "minikube.host" and told["env"]["PGVECTOR_PORT"] == "15432"
    assert told["env"]["AWS_ENDPOINT_URL"] == "http://minikube.host:19000"
