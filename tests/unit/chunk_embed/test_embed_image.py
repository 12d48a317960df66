"""The image: the model is in it, and it embeds without a network, without rights, and to the same bytes."""

import subprocess

import pytest
from unit.chunk_embed.conftest import Desk, closing_line, embedding

pytestmark = pytest.mark.extended

HARDENED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none"]
HARDENED += ["--pids-limit", "512", "--memory", "4g", "--tmpfs", "/tmp:noexec,nosuid"]


@pytest.mark.docker
@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=pytest.mark.slow)])
def test_it_gives_the_bytes_of_the_host_under_any_user(
    engine: str, images: dict[str, str], desk: Desk, reference: Desk
) -> None:
    desk.run("--help", settings={"engine": engine})  # writes the settings
    desk.folder.chmod(0o777)
    mounted = ["--volume", f"{desk.folder}:/data", "--user", "12345:54321"]
    command = ["docker", "run", "--rm", *HARDENED, *mounted, images["chunk-embed"], *embedding("--no-cache")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "converting" not in done.stderr
    assert desk.output.read_bytes() == reference.output.read_bytes()
    assert desk.samples.read_bytes() == reference.samples.read_bytes()


@pytest.mark.docker
def test_too_little_memory_for_ray_is_said_at_once(images: dict[str, str], desk: Desk) -> None:
    desk.run("--help", settings={"engine": "ray"})
    desk.folder.chmod(0o777)
    limits = [*HARDENED, "--memory", "500m", "--volume", f"{desk.folder}:/data", "--user", "12345:54321"]
    command = ["docker", "run", "--rm", *limits, images["chunk-embed"], *embedding("--no-cache")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 51 and done.stdout == ""
    told = closing_line(done.stderr)
    assert told.startswith("error: Ray: not enough memory: needs about 1073 MB (actors: 1), ")
    assert told.endswith("; fix: raise the memory limit, lower actors, or set engine: local")


@pytest.mark.docker
def test_as_the_stage_runs_it(images: dict[str, str], desk: Desk, reference: Desk) -> None:
    desk.runtime = "container"
    desk.made()
    assert desk.output.read_bytes() == reference.output.read_bytes()
    assert desk.made()["engine"] == "none"
