"""ENV=docker: data to the stack's MinIO and back, what is said where that cannot be, and a tool in the stack."""

import hashlib
import io
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
from conftest import built_images, git
from integration.clones import DVC, Clone, clone_of, error_line, tree
from integration.stack import Stack

pytestmark = pytest.mark.docker

DATASET = Path("data/wine-quality")
OUTPUTS = ("raw", "processed", "samples.parquet")


@pytest.fixture(scope="module")
def clone(stack: Stack, root: Path, mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which the dataset was built from the real sources and pushed, as people type it."""
    made = clone_of(root, tmp_path_factory.mktemp("remote") / "clone", stack, f"dvcstore/{uuid.uuid4()}")
    built = made.run("make", "dataset", "DS=wine-quality", SOURCE="upstream", FETCH_MIRROR=str(mirror))
    assert built.returncode == 0, built.stderr
    pushed = made.run("make", "push", "DS=wine-quality")
    assert pushed.returncode == 0 and "5 of 5 objects on docker, 5 sent" in pushed.stdout, pushed.stderr
    return made


@pytest.fixture
def colleague(clone: Clone, tmp_path: Path) -> Clone:
    return clone.copy(tmp_path / "colleague", *OUTPUTS)


def test_pull_gives_back_what_was_pushed(clone: Clone) -> None:
    before = tree(clone.folder / DATASET)
    clone.forget("wine-quality", *OUTPUTS)
    pulled = clone.run("make", "pull", "DS=wine-quality")
    assert pulled.returncode == 0 and "5 of 5 objects verified, 5 fetched" in pulled.stdout, pulled.stderr
    assert tree(clone.folder / DATASET) == before
    again = clone.registry("pull", "wine-quality")
    assert "5 of 5 objects verified, 0 fetched" in again.stdout
    again = clone.registry("push", "wine-quality")
    assert "5 of 5 objects on docker, 0 sent" in again.stdout


@pytest.mark.extended
@pytest.mark.parametrize("choice", [["--remote", "docker"], []])
def test_dvc_get_needs_nothing_but_the_aws_variables(
    clone: Clone, colleague: Clone, tmp_path: Path, choice: list[str]
) -> None:
    """A consumer elsewhere: the repository's URL, and AWS_* in the environment."""
    config = colleague.folder / ".dvc" / "config"
    mine = (colleague.folder / ".dvc" / "config.local").read_text().partition("\n")[2]
    head, _, rest = config.read_text().partition("['remote \"docker\"']\n")
    after = rest[rest.index("['remote") :]
    config.write_text(f"{head}['remote \"docker\"']\n{mine}    verify = true\n{after}")
    if not choice:
        config.write_text(config.read_text().replace("remote = minikube", "remote = docker"))
    (colleague.folder / ".dvc" / "config.local").unlink()
    git(colleague.folder, "add", "-A")
    git(colleague.folder, "commit", "-q", "-m", "On this machine")
    file = DATASET / "processed" / "wine-quality.csv"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    bare = {name: clone.known[name] for name in ("PATH", "HOME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    command = [str(DVC), "get", "-q", *choice, colleague.folder.as_uri(), str(file)]
    got = subprocess.run(command, cwd=elsewhere, env=bare, text=True, capture_output=True)
    assert got.returncode == 0, got.stderr
    assert (elsewhere / "wine-quality.csv").read_bytes() == (clone.folder / file).read_bytes()


@pytest.mark.extended
def test_wrong_secret_is_one_line(clone: Clone, colleague: Clone, stack: Stack) -> None:
    for place, command in ((clone, "push"), (colleague, "pull")):
        refused = place.registry(command, "wine-quality", AWS_SECRET_ACCESS_KEY="canary-secret")
        assert error_line(refused, 13).startswith("error: remote docker: ")
        assert "canary-secret" not in refused.stdout + refused.stderr
    made = clone.run("make", "push", "DS=wine-quality", AWS_SECRET_ACCESS_KEY="canary-secret")
    assert made.returncode == 2 and "Error 13" in made.stderr  # make's own


@pytest.mark.extended
def test_no_output_shows_a_secret(clone: Clone, colleague: Clone, stack: Stack) -> None:
    said = [clone.registry("push", "wine-quality", "-v"), colleague.registry("pull", "wine-quality", "-v")]
    assert [done.returncode for done in said] == [0, 0]
    for secret in stack.secrets:
        assert not [done.args for done in said if secret in done.stdout + done.stderr]


@pytest.mark.extended
def test_endpoint_that_is_down_is_one_line(clone: Clone, colleague: Clone) -> None:
    for place, command, code in ((clone, "push", 41), (colleague, "pull", 12)):
        before = (place.folder / ".dvc" / "config.local").read_text()
        place.point("http://localhost:9", "dvcstore/any")
        try:
            failed = place.registry(command, "wine-quality", AWS_MAX_ATTEMPTS="1")
            assert "request to http://localhost:9 for" in error_line(failed, code)
        finally:
            (place.folder / ".dvc" / "config.local").write_text(before)


@pytest.mark.extended
def test_missing_bucket_is_one_line_and_is_not_made(clone: Clone, colleague: Clone, stack: Stack) -> None:
    endpoint = stack.environ["AWS_ENDPOINT_URL"]
    before = (clone.folder / ".dvc" / "config.local").read_text()
    clone.point(endpoint, "elsewhere/any")
    try:
        assert "bucket" in error_line(clone.registry("push", "wine-quality"), 41)
    finally:
        (clone.folder / ".dvc" / "config.local").write_text(before)
    colleague.point(endpoint, "elsewhere/any")
    assert "not found on" in error_line(colleague.registry("pull", "wine-quality"), 12)
    assert not stack.store.bucket_exists(bucket_name="elsewhere")


@pytest.mark.extended
def test_nothing_to_push_says_how_to_make_it(colleague: Clone) -> None:
    line = error_line(colleague.registry("push", "wine-quality"), 10)
    assert line == ("error: data/wine-quality/raw: not in the cache; fix: make dataset DS=wine-quality, or make pull")


@pytest.mark.extended
def test_fetcher_in_its_container_reaches_the_stack(
    clone: Clone, stack: Stack, images: dict[str, str], tmp_path: Path
) -> None:
    """COMPOSE_PROJECT_NAME says which network; the address of this machine becomes the service's name there."""
    body = b"from the bucket\n" * 1000
    name = f"test/{uuid.uuid4()}.txt"
    stack.store.put_object(bucket_name="dvcstore", object_name=name, data=io.BytesIO(body), length=len(body))
    shutil.copy(clone.folder / DATASET / "params.yaml", tmp_path)
    digest = hashlib.sha256(body).hexdigest()
    (tmp_path / "sources.csv").write_text(f"name,url,sha256,bytes\na.txt,s3://dvcstore/{name},{digest},{len(body)}\n")
    assert clone.registry("images", "--no-build").returncode == 0
    tool = str(clone.folder / "tools" / "run")
    fetch = [tool, "fetcher", "fetch", "--params", "params.yaml", "sources.csv", "raw"]
    known = {**clone.known, "RUNTIME": "container"}
    fetched = subprocess.run(fetch, cwd=tmp_path, env=known, text=True, capture_output=True)
    assert fetched.returncode == 0, fetched.stderr
    assert (tmp_path / "raw" / "a.txt").read_bytes() == body


def test_a_tool_runs_in_the_stack(stack: Stack, root: Path) -> None:
    image = built_images(root, "fetcher")["fetcher"]
    shown = stack.compose("run", "--rm", "fetcher", "--help", FETCHER_TAG=image.rpartition(":")[2])
    assert shown.stdout.startswith("Usage: fetcher")
