"""cluster pins: the images that templates take, by the digests of a real registry, and into a cluster."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner, Result
from cluster.cli import cli
from launcher.images import refresh_images
from launcher.toolbox import find_tools
from unit.cluster.api_server import Cluster

SERVER = shutil.which("docker-registry")  # Debian's package of that name
CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
log: {{level: error}}
"""
TOOL = (
    '[project]\nrequires-python = ">=3.11,<3.15"\n'
    "[tool.data-registry]\nshared = []\nnetwork = false\nenv = [{env}]\npaths = []\n"
)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two tools that have images, and the image of workflows' steps."""
    tree = tmp_path / "tree"
    for name in ("fetcher", "cluster", "stats"):
        (tree / "tools" / name / name).mkdir(parents=True)
        (tree / "tools" / name / name / "__init__.py").touch()
        (tree / "tools" / name / "pyproject.toml").write_text(TOOL.format(env='"*"' if name == "cluster" else ""))
        (tree / "tools" / name / "requirements.lock").write_text("")
        (tree / "tools" / name / "Dockerfile").write_text("FROM scratch\nCOPY tools /\n")
    (tree / "tools" / "run").write_text("a stand-in\n")
    (tree / "data").mkdir()
    refresh_images(tree)
    monkeypatch.setenv("REGISTRY_ROOT", str(tree))
    for name in ("KUBE_CONFIG", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tree


@pytest.fixture
def images(tree: Path) -> dict[str, str]:
    images: dict[str, str] = yaml.safe_load((tree / "data/images.yaml").read_text())["images"]
    assert set(images) == {"fetcher", "stats"}
    return {**images, "cluster": find_tools(tree)["cluster"].image()}


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of a registry that has nothing."""
    if not SERVER:
        pytest.skip("docker-registry is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "registry.yaml"
    config.write_text(CONFIG.format(folder=tmp_path / "registry", port=port))
    server = subprocess.Popen([SERVER, "serve", config], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"localhost:{port}/opencloudhub/data-registry"
    finally:
        server.terminate()
        server.wait()


def pins(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(cli, ["pins", *arguments], env=variables)


def key(tool: str, images: dict[str, str]) -> str:
    return tool if tool == "cluster" else f"{tool}.{images[tool].partition(':')[2]}"


def publish(tree: Path, tool: str, name: str) -> str:
    """Build an image and push it; return the digest that the push tells."""
    command = ["docker", "build", "-q", "-f", f"tools/{tool}/Dockerfile", "-t", name, "."]
    subprocess.run(command, cwd=tree, check=True, capture_output=True)
    try:
        pushed = subprocess.run(["docker", "push", name], check=True, capture_output=True, text=True).stdout
    finally:
        subprocess.run(["docker", "image", "rm", name], check=True, capture_output=True)
    return pushed.partition("digest: ")[2].split()[0]


def test_local_images_keep_their_names(images: dict[str, str]) -> None:
    done = pins("--local")
    assert done.exit_code == 0, done.stderr
    manifest = yaml.safe_load(done.stdout)
    assert manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"] == "registry-images"
    assert manifest["metadata"]["labels"]["workflows.argoproj.io/configmap-type"] == "Parameter"
    assert manifest["data"] == {key(tool, images): image for tool, image in images.items()}
    kubernetes_validate.validate(manifest, "1.32", strict=True)


@pytest.mark.docker
def test_published_images_are_named_by_their_digests(tree: Path, images: dict[str, str], address: str) -> None:
    names = {tool: f"{address}/{image.partition('/')[2]}" for tool, image in images.items()}
    done = pins("--missing", "--registry", address)
    assert json.loads(done.stdout) == [{"tool": tool, "image": name} for tool, name in names.items()]
    digests = {tool: publish(tree, tool, names[tool]) for tool in ("fetcher", "cluster")}
    assert [each["tool"] for each in json.loads(pins("--missing", "--registry", address).stdout)] == ["stats"]
    done = pins("--registry", address)
    assert done.exit_code == 10 and done.stdout == ""
    assert done.stderr.startswith(f"error: {names['stats']}: ") and "not found" in done.stderr
    digests["stats"] = publish(tree, "stats", names["stats"])
    assert json.loads(pins("--missing", "--registry", address).stdout) == []
    manifest = yaml.safe_load(pins("--registry", address).stdout)
    assert manifest["data"] == {key(tool, images): f"{address}/{tool}@{digest}" for tool, digest in digests.items()}


@pytest.mark.docker
def test_a_registry_that_does_not_answer_is_exit_12(tree: Path) -> None:
    for arguments in ([], ["--missing"]):
        done = pins("--registry", "localhost:1/data-registry", *arguments)
        assert done.exit_code == 12 and done.stdout == "", done.stderr


@pytest.mark.parametrize(
    "registry",
    ["ghcr.io", "http://ghcr.io/x", "ghcr.io/X", "-x/y", "ghcr.io/x y", "$(touch pwn)/x", "ghcr.io/x@sha256:y"],
)
def test_what_is_no_registry_is_refused(tree: Path, registry: str) -> None:
    done = pins("--registry", registry)
    assert done.exit_code == 2 and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [[], ["--local", "--registry", "ghcr.io/x"], ["--missing"], ["--missing", "--local"]]
)
def test_it_must_be_said_which_images(tree: Path, arguments: list[str]) -> None:
    done = pins(*arguments)
    assert done.exit_code == 2 and "expected one of --registry, --local and --file" in done.stderr


def test_images_of_other_sources_are_not_pinned(tree: Path) -> None:
    (tree / "tools/stats/stats/more.py").write_text("")
    done = pins("--local")
    assert (done.exit_code, done.stdout) == (40, "")
    assert done.stderr == "error: data/images.yaml: stats has changed since it was written; fix: make images\n"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_they_are_applied_beside_those_of_earlier_tools(tree: Path, tmp_path: Path) -> None:
    """For workflows may be at work with them."""
    file = tmp_path / "registry-images.yaml"
    file.write_text(pins("--local").stdout)
    new = yaml.safe_load(file.read_text())["data"]
    with Cluster().running() as api:
        for _ in range(2):
            done = pins("--file", str(file), "--apply", KUBE_CONFIG=api.config(), HOME=str(tmp_path))
            assert done.exit_code == 0, done.stderr
        assert api.named("ConfigMap", "registry-images")["data"] == new
        file.write_text(file.read_text().replace("fetcher.src-", "fetcher.src-0"))
        done = pins("--file", str(file), "--apply", KUBE_CONFIG=api.config(), HOME=str(tmp_path))
        assert done.exit_code == 0, done.stderr
        assert api.named("ConfigMap", "registry-images")["data"] == new | yaml.safe_load(file.read_text())["data"]


@pytest.mark.parametrize(
    "text", ["", "[]", "a: [", "kind: ConfigMap", "metadata: {name: registry-images}\ndata: {a: 1}"]
)
def test_a_file_that_has_no_pins_is_refused(tree: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "file.yaml").write_text(text)
    done = pins("--file", str(tmp_path / "file.yaml"))
    assert done.exit_code == 2 and "fix: make it with tools/run cluster pins --registry" in done.stderr
