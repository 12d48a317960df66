"""What holds for every stage tool, on the host and in its container."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import environ, has_engine
from data_registry.clone import repository
from launcher.toolbox import find_tools

STAGES = [name for name, tool in find_tools(repository()).items() if tool.in_container]
ABOVE_BASE = {"fetcher": 120, "parquetizer": 350, "stats": 350, "pgloader": 350, "chunk-embed": 1600}  # MB
BASE = os.environ.get("PYTHON_IMAGE", "python:3.11-slim-bookworm")
HARDENED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none"]
HARDENED += ["--pids-limit", "256", "--memory", "2g", "--tmpfs", "/tmp:size=64m,noexec,nosuid"]

Runner = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["host", pytest.param("container", marks=[pytest.mark.docker, pytest.mark.extended])])
def run(request: pytest.FixtureRequest, root: Path, tmp_path: Path) -> Runner:
    if request.param == "container":
        request.getfixturevalue("images")

    def runner(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        known = environ(root, RUNTIME=request.param, **variables)
        return subprocess.run([root / "tools/run", *arguments], cwd=tmp_path, env=known, text=True, capture_output=True)

    return runner


def closing_line(text: str) -> str:
    return text.rstrip().splitlines()[-1]


@pytest.mark.parametrize("tool", STAGES)
def test_help_is_on_stdout_and_says_what_the_tool_does(tool: str, run: Runner) -> None:
    shown = run(tool, "--help")
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"Usage: {tool} [OPTIONS] COMMAND") and "Commands:" in shown.stdout


@pytest.mark.parametrize("tool", STAGES)
def test_unknown_option_is_usage(tool: str, run: Runner) -> None:
    refused = run(tool, "--nope")
    assert refused.returncode == 2 and refused.stdout == ""
    error, _, fix = closing_line(refused.stderr).partition("; fix: see ")
    assert error == f"error: {tool}: no such option '--nope'"
    assert fix in {f"tools/run {tool} --help", f"{tool} --help"}  # on the host, and in its container


@pytest.mark.parametrize("tool", STAGES)
def test_unknown_command_is_usage(tool: str, run: Runner) -> None:
    refused = run(tool, "frobnicate")
    assert refused.returncode == 2 and refused.stdout == ""
    assert closing_line(refused.stderr).startswith(f"error: {tool}: ")


@pytest.mark.parametrize("tool", STAGES)
def test_only_declared_variables_arrive(tool: str, run: Runner, tmp_path: Path) -> None:
    """A secret of another tool is in no process of this one, and none is on a command line."""
    secret = "planted-canary"
    shown = run(tool, "--help", PGVECTOR_PASSWORD=secret, AWS_SECRET_ACCESS_KEY=secret)
    assert secret not in shown.stdout + shown.stderr


def test_source_to_metadata_in_one_folder(run: Runner, root: Path, tmp_path: Path) -> None:
    """The three tools in a row on the bundled sample; each prints one JSON object."""
    dataset = root / "data" / "wine-quality"
    for name in ("params.yaml", "sample"):
        subprocess.run(["cp", "-r", dataset / name, tmp_path], check=True)
    (tmp_path / "sources.csv").write_bytes((dataset / "sample" / "sources.csv").read_bytes())
    fetched = run("fetcher", "fetch", "--params", "params.yaml", "sources.csv", "raw")
    assert json.loads(fetched.stdout)["files"] == 2, fetched.stderr
    made = run(
        "parquetizer", "table", "--params", "params.yaml", "raw", "processed/wine-quality.csv", "samples.parquet"
    )
    assert json.loads(made.stdout)["rows"] == 60, made.stderr
    arguments = ["--params", "params.yaml", "--sources", "sources.csv", "processed/wine-quality.csv", "samples.parquet"]
    found = run("stats", "table", *arguments, "metadata.json")
    assert json.loads(found.stdout)["duplicates"] == 2, found.stderr
    assert json.loads((tmp_path / "metadata.json").read_text())["provenance"]["sample"] is True


@pytest.mark.extended
@pytest.mark.docker
@pytest.mark.parametrize("tool", STAGES)
def test_image_is_small(tool: str, images: dict[str, str]) -> None:
    def size(image: str) -> int:
        shown = subprocess.run(
            ["docker", "image", "inspect", "-f", "{{.Size}}", image], capture_output=True, check=True
        )
        return int(shown.stdout) // 1_000_000

    assert size(images[tool]) - size(BASE) <= ABOVE_BASE[tool]


@pytest.mark.extended
@pytest.mark.docker
@pytest.mark.parametrize("tool", STAGES)
def test_image_has_no_more_than_it_needs(tool: str, images: dict[str, str]) -> None:
    """Unprivileged user, exec-form entrypoint, labels; no pip, and nothing setuid that the base does not have."""
    asked = subprocess.run(["docker", "image", "inspect", images[tool]], capture_output=True, check=True)
    config = json.loads(asked.stdout)[0]["Config"]
    assert config["User"] == "10001:10001" and config["WorkingDir"] == "/data" and config["Entrypoint"] == [tool]
    assert {f"org.opencontainers.image.{name}" for name in ("title", "licenses", "source")} <= set(config["Labels"])
    find = "import os,stat,sys; sys.exit(any(stat.S_IMODE(os.lstat(os.path.join(f,n)).st_mode) & 0o6000 "
    find += "for f,_,ns in os.walk('/opt/venv') for n in ns) or os.path.exists('/opt/venv/bin/pip'))"
    command = ["docker", "run", "--rm", "--entrypoint", "python", images[tool], "-c", find]
    assert subprocess.run(command).returncode == 0


@pytest.mark.extended
@pytest.mark.docker
@pytest.mark.parametrize("tool", STAGES)
def test_container_runs_hardened_under_any_user(tool: str, images: dict[str, str]) -> None:
    for user in ("10001:10001", "12345:54321"):
        command = ["docker", "run", "--rm", *HARDENED, "--user", user, images[tool], "--help"]
        assert subprocess.run(command, capture_output=True).returncode == 0
    status = "print(open('/proc/self/status').read())"
    command = ["docker", "run", "--rm", *HARDENED, "--entrypoint", "python", images[tool], "-c", status]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    fields = dict(line.split(":\t", 1) for line in shown.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) == 0 and fields["NoNewPrivs"].strip() == "1" and fields["Seccomp"].strip() == "2"


@pytest.mark.extended
@pytest.mark.docker
def test_nothing_of_the_build_machine_stays_in_an_image(images: dict[str, str], root: Path) -> None:
    """Index, certificates and wheelhouse of the build are in no layer's command and in no file of ours."""
    for image in images.values():
        shown = subprocess.run(
            ["docker", "history", "--no-trunc", image], capture_output=True, text=True, check=True
        ).stdout
        for name in ("PIP_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONF"):
            value = os.environ.get(name)
            assert not value or value not in shown
    assert has_engine()


@pytest.mark.extended
@pytest.mark.docker
def test_make_images_builds_what_the_images_file_names(images: dict[str, str], root: Path) -> None:
    command = ["make", "--no-print-directory", "images"]
    shown = subprocess.run(command, cwd=root, env=environ(root), text=True, capture_output=True)
    assert shown.stdout.split() == [*images.values(), find_tools(root)["cluster"].image()], shown.stderr
