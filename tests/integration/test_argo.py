"""The generated workflows, run pod by pod on the tools' images, with the stack's MinIO and a git server."""

import dataclasses
import json
import os
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cluster.templates.pods import image_key
from conftest import alone, git, make_clone
from integration.argo_runner import Cluster, Outcome, Workflow
from integration.stack import Stack
from launcher.containers import build_images, has_image
from launcher.toolbox import find_tools

pytestmark = [pytest.mark.extended, pytest.mark.docker]
DATASET = "wine-quality"
PROFILE = json.dumps({"containers": [{"name": "main", "resources": {"limits": {"cpu": "2"}}}]})
# A tool that, the first time, leaves junk in its outputs and beside them, tries to in another's, and ends as a network
# does.
FLAKY = """\
#!/bin/sh
if [ ! -e /state/failed ]; then
    mkdir -p processed && echo junk > processed/junk.csv && echo junk > junk.txt && echo junk > samples.parquet
    if echo junk > raw/junk.csv || echo junk >> params.yaml; then exit 1; fi
    touch /state/failed
    exit 12
fi
exec /opt/venv/bin/parquetizer "$@"
"""
CHANGING = """\
#!/bin/sh
echo "mine" >> README.md
exec /opt/venv/bin/parquetizer "$@"
"""
LINKING = """\
#!/bin/sh
/opt/venv/bin/parquetizer "$@"
rm samples.parquet
ln -s /secrets/git/key samples.parquet
"""


@dataclasses.dataclass(frozen=True)
class Forge:
    """A git server with the repository, a clone of it, and a cluster that uses both."""

    clone: Path
    folder: Path
    cluster: Cluster
    images: list[str] = dataclasses.field(default_factory=list)  # that a test has made

    def push(self, subject: str) -> None:
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-q", "-m", subject)
        git(self.clone, "push", "-q", "origin", "main")

    def pull(self) -> None:
        git(self.clone, "pull", "-q", "--tags", "origin", "main")

    def submit(self, dataset: str = DATASET, cluster: Cluster | None = None, **parameters: str) -> Workflow:
        template = yaml.safe_load((self.clone / "data" / dataset / "workflow.yaml").read_text())
        folder = self.folder / f"run-{uuid.uuid4().hex[:8]}"
        return Workflow(template, cluster or self.cluster, folder, **parameters)

    @property
    def tags(self) -> list[str]:
        return [
            line.partition("refs/tags/")[2]
            for line in git(self.clone, "ls-remote", "--tags", "--refs", "origin").splitlines()
        ]


@pytest.fixture(scope="session")
def cluster_image(root: Path) -> str:
    image = find_tools(root)["cluster"].image()
    with alone("images"):
        if not has_image(image):
            build_images(root, {"cluster": image})
    return image


@pytest.fixture
def forge(
    root: Path, stack: Stack, images: dict[str, str], cluster_image: str, mirror: Path, tmp_path: Path
) -> Iterator[Forge]:
    """The repository as it is here, but without anything built, on a server that pods can reach."""
    tmp_path.chmod(0o755)
    clone = make_clone(root, tmp_path / "clone")
    place = f"dvcstore/argo-{uuid.uuid4().hex[:8]}"
    config = clone / ".dvc" / "config"
    config.write_text(config.read_text().replace("s3://dvcstore", f"s3://{place}"))
    for name in ("dvc.lock", "metadata.json"):
        (clone / "data" / DATASET / name).unlink()
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "Nothing is built")
    served = tmp_path / "served"
    git(tmp_path, "clone", "-q", "--bare", str(clone), str(served / "repo.git"))
    git(clone, "remote", "add", "origin", str(served / "repo.git"))
    git(clone, "push", "-q", "-u", "origin", "main")
    name, network = f"git-{uuid.uuid4().hex[:8]}", f"{stack.environ['COMPOSE_PROJECT_NAME']}_default"
    daemon = ["daemon", "--enable=receive-pack", "--export-all", "--base-path=/git", "/git"]
    server = ["docker", "run", "--rm", "-d", "--name", name, "--network", network, "-v", f"{served}:/git"]
    server += ["--user", f"{os.getuid()}:{os.getgid()}", "--entrypoint", "git", cluster_image, *daemon]
    subprocess.run(server, check=True, capture_output=True)
    cluster = Cluster(
        config_maps={
            "registry-images": {image_key(image): image for image in images.values()} | {"cluster": cluster_image},
            "compute-profiles": {"cpu-small": PROFILE},
            "registry-settings": {
                "REPO_URL": f"git://{name}/repo.git",
                "ENV": "docker",
                "DVC_REMOTE": "docker",
                "AWS_ENDPOINT_URL": "http://minio:9000",
                "AWS_REGION": stack.environ["AWS_REGION"],
            },
            "registry-database": {
                "PGVECTOR_HOST": "pgvector",
                "PGVECTOR_PORT": "5432",
                "PGVECTOR_DATABASE": stack.environ["PGVECTOR_DATABASE"],
                "PGVECTOR_USER": stack.environ["PGVECTOR_USER"],
            },
            "tool-fetcher": {"FETCH_MIRROR": "/mirror"},
        },
        secrets={
            "registry-s3": {key: stack.environ[key] for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")},
            "registry-deploy-key": {"key": "of another server", "known_hosts": ""},
            "registry-database": {"PGVECTOR_PASSWORD": stack.environ["PGVECTOR_PASSWORD"]},
        },
        network=network,
        mounts={"fetcher": {mirror: "/mirror:ro"}},
    )
    made = Forge(clone, tmp_path / "runs", cluster)
    try:
        yield made
    finally:
        subprocess.run(["docker", "rm", "-f", name], capture_output=True)
        if made.images:
            subprocess.run(["docker", "image", "rm", "-f", *made.images], capture_output=True)
        shutil.rmtree(tmp_path / "runs", ignore_errors=True)


def built(outcome: Outcome) -> Outcome:
    assert outcome.phase == "Succeeded", outcome.said
    return outcome


def test_what_is_released_is_what_a_laptop_makes_and_is_released_once(forge: Forge, root: Path) -> None:
    """From nothing; then unchanged; forced, with the same bytes; with a change in the middle."""
    workflow = forge.submit()
    first = built(workflow.run())
    assert first.ran == ["plan", "fetcher", "parquetizer", "stats", "publish"]
    assert first.outputs["publish"] == {"tag": f"{DATASET}-v1.0.0", "outcome": "released"}
    assert workflow.step("publish", {}) == "Succeeded", workflow.outcome.said  # as if its pod had died at the very end
    assert first.outputs["publish"]["outcome"] == "already released"
    assert forge.tags == [f"{DATASET}-v1.0.0"]
    forge.pull()
    for name in ("dvc.lock", "metadata.json"):
        assert (forge.clone / "data" / DATASET / name).read_bytes() == (root / "data" / DATASET / name).read_bytes()
    tag = git(forge.clone, "cat-file", "tag", f"{DATASET}-v1.0.0")
    assert "\nargo-workflow-uid: " in tag and "\nautomated: false" in tag

    again = built(forge.submit().run())
    assert again.ran == ["plan"] and again.steps["publish"] == "Skipped"

    forced = built(forge.submit(force="true", is_automated="true").run())
    assert forced.ran == ["plan", "fetcher", "parquetizer", "stats", "publish"]
    assert "nothing has changed" in forced.said and forced.outputs["publish"]["tag"] == f"{DATASET}-v1.0.0"

    params = forge.clone / "data" / DATASET / "params.yaml"
    params.write_text(params.read_text().replace("tartaric acid in", "as tartaric acid in"))
    forge.push("wine-quality: a description")
    changed = built(forge.submit().run())
    assert changed.ran == ["plan", "parquetizer", "stats", "publish"] and changed.steps["fetcher"] == "Skipped"
    assert forge.tags == [f"{DATASET}-v1.0.0", f"{DATASET}-v1.0.1"]


def test_a_template_of_other_stages_than_the_revision_is_refused(forge: Forge) -> None:
    submitted = forge.submit()
    pipeline = forge.clone / "data" / DATASET / "dvc.yaml"
    pipeline.write_text(pipeline.read_text().replace("parquetizer table --params", "parquetizer table -v --params"))
    forge.push("wine-quality: say more")
    outcome = submitted.run()
    assert (
        outcome.phase == "Failed"
        and outcome.codes["plan"] == [40]
        and set(outcome.steps.values()) == {"Failed", "Omitted"}
    )
    assert "kubectl apply -f data/wine-quality/workflow.yaml" in outcome.said
    assert "plan: Error (exit code 40) (ReleaseRefused)" in outcome.said and forge.tags == []


def test_what_an_attempt_leaves_is_gone_before_the_next(forge: Forge, root: Path, tmp_path: Path) -> None:
    outcome = built(forge.submit(cluster=with_tool(forge, tmp_path, FLAKY)).run())
    assert outcome.codes["parquetizer"] == [12, 0]
    assert "removed data/wine-quality/junk.txt" in outcome.said
    forge.pull()
    for name in ("dvc.lock", "metadata.json"):
        assert (forge.clone / "data" / DATASET / name).read_bytes() == (root / "data" / DATASET / name).read_bytes()


@pytest.mark.parametrize(
    ("script", "what"),
    [
        (CHANGING, "data/wine-quality/README.md: was changed by a stage, but is not one of its outputs"),
        (LINKING, "data/wine-quality/samples.parquet: expected a regular file or folder"),
    ],
    ids=["another file", "a link to a secret"],
)
def test_what_a_stage_should_not_do_ends_the_workflow_before_the_next(
    forge: Forge, tmp_path: Path, script: str, what: str
) -> None:
    outcome = forge.submit(cluster=with_tool(forge, tmp_path, script)).run()
    assert outcome.phase == "Failed" and outcome.steps["publish"] == "Omitted" and forge.tags == []
    assert what in outcome.said


@pytest.mark.parametrize(
    "alone_by_mutex",
    [pytest.param(True, id="with the mutex"), pytest.param(False, id="as if there were none", marks=pytest.mark.slow)],
)
def test_of_two_at_once_one_releases(forge: Forge, alone_by_mutex: bool) -> None:
    outcomes: list[Outcome] = []
    both = [threading.Thread(target=lambda: outcomes.append(forge.submit().run(alone_by_mutex))) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert forge.tags == [f"{DATASET}-v1.0.0"], [each.said for each in outcomes]
    assert [each.phase for each in outcomes].count("Succeeded") >= 1 + alone_by_mutex


@pytest.mark.slow
def test_embeddings_are_made_of_a_release_and_read_once_they_are_one(forge: Forge, stack: Stack) -> None:
    """What a fresh store lacks is built again, though dvc.lock has it; then the index of that release."""
    readmes, index = "opencloudhub-readmes", "opencloudhub-readmes-embeddings"
    assert built(forge.submit(readmes).run()).ran == ["plan", "fetcher", "parquetizer", "stats", "publish"]
    outcome = built(forge.submit(index, data_version="latest").run())
    assert outcome.ran == ["plan", "chunk-embed", "pgloader", "stats", "publish", "switch"]
    assert outcome.steps["chunk-embed-ray"] == "Skipped"
    assert forge.tags == [f"{index}-v1.0.0", f"{readmes}-v1.0.0"]
    forge.pull()
    metadata = json.loads((forge.clone / "data" / index / "metadata.json").read_text())
    assert metadata["source_data_version"] == f"{readmes}-v1.0.0"
    asked = "SELECT count(*), max(metadata->>'dvc_data_version') FROM readme_embeddings"
    answer = stack.sql(asked, "reader").stdout.strip().split("|")
    assert answer == [str(metadata["summary"]["num_samples"]), f"{readmes}-v1.0.0"]
    again = built(forge.submit(index).run())
    assert again.ran == ["plan"] and again.steps["switch"] == "Omitted"


def with_tool(forge: Forge, folder: Path, script: str) -> Cluster:
    """Return a cluster whose parquetizer is a script before the real one."""
    context, state = folder / "image", folder / "state"
    context.mkdir()
    state.mkdir()
    state.chmod(0o777)
    (context / "parquetizer").write_text(script)
    (context / "parquetizer").chmod(0o755)
    images = dict(forge.cluster.config_maps["registry-images"])
    (key,) = [each for each in images if each.startswith("parquetizer.")]
    (context / "Dockerfile").write_text(
        f"FROM {images[key]}\nCOPY parquetizer /opt/first/parquetizer\nENV PATH=/opt/first:$PATH\n"
    )
    images[key] = f"data-registry-test/parquetizer:{uuid.uuid4().hex[:8]}"
    forge.images.append(images[key])
    subprocess.run(["docker", "build", "-q", "-t", images[key], str(context)], check=True, capture_output=True)
    mounts = {**forge.cluster.mounts, "parquetizer": {state: "/state"}}
    maps = {**forge.cluster.config_maps, "registry-images": images}
    return dataclasses.replace(forge.cluster, config_maps=maps, mounts=mounts)
