"""The steps of a workflow, without a cluster: what is planned, cleaned up, refused and released."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from cluster.cli import cli
from cluster.steps.plan import make_plan
from cluster.steps.publish import publish
from cluster.steps.workspace import Workspace, clean
from cluster.templates.stages import Stage, digest, with_dependents
from conftest import git
from unit.cluster.steps_world import change, copy, elsewhere, make_world, plan, push, refused, stages, work, write
from unit.registry.tiny import tags

ALL = ["fetcher", "parquetizer", "stats"]
LETTERS = Path("repo/data/letters")  # in a world
V1 = "letters-v1.0.0"


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("REGISTRY_ROOT", "ENV", "DVC_REMOTE", "AWS_ENDPOINT_URL", "DS"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing is built."""
    return make_world(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="module")
def made(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All stages have run in the workspace."""
    world = copy(fresh, tmp_path_factory.mktemp("made"))
    work(Workspace(world), plan(world))
    return world


@pytest.fixture(scope="module")
def published(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """And the dataset is released."""
    world = copy(made, tmp_path_factory.mktemp("published"))
    assert publish(Workspace(world), "local", "auto").outcome == "released"
    git(world / "clone", "pull", "-q", "--tags", "origin", "main")
    return world


@pytest.fixture
def built(made: Path, tmp_path: Path) -> Path:
    return copy(made, tmp_path)


@pytest.fixture
def released(published: Path, tmp_path: Path) -> Path:
    return copy(published, tmp_path)


def test_stages_are_what_dvc_makes_of_them(fresh: Path) -> None:
    resolved = stages(fresh)
    assert [stage.name for stage in resolved] == ALL
    counts = "processed/process_stats.json"
    outputs = ("processed/train", counts, "samples.parquet")
    fields = ("parquetizer", ("raw", "processed", "samples.parquet"), "registry/parquetizer:src-1", False, ("fetcher",))
    assert resolved[1] == Stage(*fields, outputs, (counts,), ("params.yaml",), ("params.yaml", "raw"))
    assert resolved[2].reads == ("params.yaml", counts, "processed/train", "raw", "samples.parquet")
    assert with_dependents(resolved, {"parquetizer"}) == {"parquetizer", "stats"}


@pytest.mark.parametrize("command", ["../../tools/run stats raw", "bin/run fetcher raw", "../../tools/run tar raw"])
def test_a_stage_that_is_no_tool_is_refused(fresh: Path, tmp_path: Path, command: str) -> None:
    world = copy(fresh, tmp_path)
    change(world / "clone", "data/letters/dvc.yaml", "../../tools/run fetcher sources.csv raw", command)
    if "tar" in command:
        change(world / "clone", "data/letters/dvc.yaml", "  fetcher:", "  tar:")
    refused(2, "its cmd does not run the tool of that name; fix: use ../../tools/run ", lambda: stages(world))


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("letters/dvc.yaml", "fetcher sources.csv raw", "fetcher -v sources.csv raw"),
        ("images.yaml", "stats:src-1", "stats:src-2"),
        ("letters/dvc.yaml", "    outs: [raw]", "    outs: [raw]\n    meta: {compute: heavy}"),
    ],
)
def test_a_template_of_other_stages_than_the_revision_is_refused(
    fresh: Path, tmp_path: Path, path: str, before: str, after: str
) -> None:
    world = copy(fresh, tmp_path)
    old = digest(stages(world))
    change(world / "clone", f"data/{path}", before, after)
    push(world / "clone")
    refused(40, "; fix: kubectl apply -f data/letters/workflow.yaml", lambda: plan(world, template=old))
    assert plan(world).run == ALL


def test_a_revision_is_a_commit_of_main_and_may_be_an_older_one(fresh: Path, tmp_path: Path) -> None:
    world = copy(fresh, tmp_path)
    old = git(world / "clone", "rev-parse", "HEAD").strip()
    write(world / "clone/README.md", "newer")
    new = push(world / "clone")
    write(world / "clone/README.md", "to be reviewed")
    side = push(world / "clone", "side")
    for revision in (side, "side", "nothing", "--help"):
        what = f"revision: {revision!r} is not a commit of the branch that releases are pushed to"
        refused(40, what, lambda revision=revision: plan(world, revision=revision))  # type: ignore[misc]  # one by one
    assert plan(world, revision=old).base == old and not (world / "repo/README.md").exists()
    assert plan(world).base == new and (world / "repo/README.md").read_text() == "newer"


def test_a_repository_that_does_not_answer(fresh: Path, tmp_path: Path) -> None:
    gone, current = str(tmp_path / "gone.git"), digest(stages(fresh))
    refused(12, "REPO_URL: ", lambda: make_plan(Workspace(tmp_path), gone, "local", "letters", current))


def test_what_is_released_has_nothing_to_do_unless_forced(released: Path) -> None:
    out, current = released / "out", digest(stages(released))
    environ = {"DS": "letters", "STAGES_DIGEST": current, "REPO_URL": str(released / "origin.git"), "FORCE": "false"}
    command = ["argo", "plan", "--workspace", str(released), "--out", str(out)]
    done = CliRunner().invoke(cli, command, env=environ)
    assert done.exit_code == 0 and done.stdout.endswith(": all stages are up to date\n"), done.output
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        **{f"run-{name}": "false" for name in ALL},
        "publish": "false",
    }
    done = CliRunner().invoke(cli, command, env={**environ, "FORCE": "true"})
    assert done.stdout.endswith(": run fetcher, parquetizer, stats\n"), done.output
    assert {path.read_text() for path in out.iterdir()} == {"true"}


SOURCES, KEYS = "data/letters/sources.csv", "a\nb\nc"


def pin(world: Path, *rows: tuple[str, str, str]) -> None:
    """List files of these names, URLs and contents in sources.csv, and push it."""
    lines = [f"{name},{url},{hashlib.sha256(text.encode()).hexdigest()},{len(text)}\n" for name, url, text in rows]
    write(world / "clone" / SOURCES, "name,url,sha256,bytes\n" + "".join(lines))
    push(world / "clone")


def test_the_pod_of_fetcher_finds_what_the_remote_has_of_its_files(released: Path) -> None:
    """It may not read the remote: those without a public address, and those that upstream may have lost."""
    url = f"registry:{hashlib.sha256(KEYS.encode()).hexdigest()}"
    pin(released, ("keys.txt", url, KEYS), ("new", "https://host.invalid/new", "new"))
    workspace, storage = Workspace(released), released / LETTERS / ".sources"
    planned = plan(released)
    assert planned.run == ALL
    assert [path.read_text() for path in storage.iterdir()] == [KEYS]
    for stage in ("fetcher", "fetcher", "parquetizer"):  # a second attempt needs them too
        clean(workspace, stage)
        assert len(list(storage.iterdir())) == 1
    clean(workspace)
    assert not storage.exists()


def test_a_file_without_a_public_address_must_be_on_the_remote(released: Path) -> None:
    pin(released, ("mine.csv", f"registry:{hashlib.sha256(b'mine').hexdigest()}", "mine"))
    message = f"{SOURCES}: mine.csv not in this clone, nor in the raw files on local; fix: make push DS=letters where"
    refused(10, message, lambda: plan(released))


def test_what_was_built_but_never_released_is_published(released: Path) -> None:
    for folder in ("origin.git", "clone"):
        git(released / folder, "tag", "-d", V1)
    planned = plan(released)
    assert (planned.run, planned.publish) == ([], True)
    assert publish(Workspace(released), "local", "auto").outcome == "released"


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("letters/params.yaml", "factor: 1", "factor: 2"),
        ("letters/dvc.yaml", "parquetizer raw processed", "parquetizer -v raw processed"),
        ("images.yaml", "parquetizer:src-1", "parquetizer:src-2"),
    ],
)
def test_a_change_in_the_middle_runs_what_comes_after_it(released: Path, path: str, before: str, after: str) -> None:
    change(released / "clone", f"data/{path}", before, after)
    push(released / "clone")
    planned = plan(released)
    assert planned.run == ["parquetizer", "stats"] and (released / LETTERS / "raw/keys.txt").is_file()
    work(Workspace(released), planned)
    done = publish(Workspace(released), "local", "major")
    if "factor" in before:
        assert (done.tag, done.outcome) == ("letters-v2.0.0", "released")
        assert "b,2\n" in (released / LETTERS / "processed/train/data.csv").read_text()
    else:  # the bytes are the same, and only dvc.lock knows
        assert (done.tag, done.outcome) == (V1, "already released")
        assert list(tags(released / "origin.git")) == [V1]


@pytest.mark.parametrize(("lost", "run"), [("", ALL[2:]), ("raw", ALL), ("samples.parquet", ALL[1:])])
def test_what_the_remote_has_lost_is_made_again(released: Path, lost: str, run: list[str]) -> None:
    change(released / "clone", "data/letters/params.yaml", "Letters", "All letters")
    push(released / "clone")
    lock = yaml.safe_load((released / LETTERS / "dvc.lock").read_text())
    for out in (out for stage in lock["stages"].values() for out in stage["outs"] if out["path"] == lost):
        (released / "store/files/md5" / out["md5"][:2] / out["md5"][2:]).unlink()
    assert plan(released).run == run


def test_the_release_to_build_from_is_written_down(released: Path) -> None:
    refused(10, "index: is made from a working copy, which a workflow does not have", lambda: plan(released, "index"))
    for wanted in ("latest", V1):
        planned, folder = plan(released, "index", data_version=wanted), released / "repo/data/index"
        assert planned.run == ["registry", "stats"] and f"version: {V1}}}" in (folder / "params.yaml").read_text()
    assert json.loads((folder / "parent/release.json").read_text())["version"] == V1
    clean(Workspace(released), "stats")
    change(released, "repo/data/index/params.yaml", "Index", "Mine")
    refused(14, "data/index/params.yaml: was changed by a stage", lambda: clean(Workspace(released), "stats"))
    shutil.rmtree(released / "store" / "files")
    refused(42, V1, lambda: plan(released, "index", data_version="latest"))


def test_another_command_of_the_stage_registry_is_unsupported(released: Path) -> None:
    change(released / "clone", "data/index/dvc.yaml", "--params params.yaml parent", "parent --params params.yaml")
    push(released / "clone")
    message = (
        "index stage registry: unsupported command in a workflow; fix: use ../../tools/run registry parent --params"
    )
    refused(2, message, lambda: plan(released, "index", data_version="latest"))


@pytest.mark.parametrize(
    ("name", "wanted", "message"),
    [
        ("letters", "latest", "data_version: letters is not made from another dataset; fix: leave it empty"),
        ("index", "letters-v9.0.0", "version: letters 9.0.0 not found; fix: use one of: 1.0.0, latest"),
        ("index", "digits-v1.0.0", "version: invalid version 'digits-v1.0.0' of letters"),
    ],
)
def test_a_release_to_build_from_that_is_none_is_usage(released: Path, name: str, wanted: str, message: str) -> None:
    refused(2, message, lambda: plan(released, name, data_version=wanted))


def test_a_version_that_params_have_twice_is_usage(released: Path) -> None:
    change(released / "clone", "data/index/params.yaml", "Index}", "Index} # version: workspace")
    push(released / "clone")
    message = "data/index/params.yaml: expected 'version: workspace' once, got it 2 times; fix: write it once"
    refused(2, message, lambda: plan(released, "index", data_version="latest"))


def test_before_a_stage_only_what_others_have_made_stays(built: Path) -> None:
    folder = built / LETTERS
    for path in ("junk.txt", "processed/junk.csv", "processed/train/junk.csv", "hidden.txt"):
        write(folder / path, "junk")
    write(folder / ".gitignore", "hidden.txt\n/.gitignore\n")
    git(folder, "init", "-q", "another")
    folders = ("another/", "processed/train/")
    files = (".gitignore", "hidden.txt", "junk.txt", "processed/junk.csv", "samples.parquet")
    assert clean(Workspace(built), "parquetizer") == sorted(f"data/letters/{path}" for path in (*files, *folders))
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert left == {"README.md", "dvc.yaml", "params.yaml", "sources.csv", "raw/keys.txt", "metadata.json"}


def _linked_folder(folder: Path) -> None:
    shutil.move(folder / "processed", folder.parent.parent.parent / "taken")
    (folder / "processed").symlink_to("../../../taken")


def _linked_file(folder: Path) -> None:
    (folder / "samples.parquet").unlink()
    (folder / "samples.parquet").symlink_to("/etc/hostname")


LINK, CHANGED = "expected a regular file or folder", "was changed by a stage, but is not one of its outputs"
FORBIDDEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "link": (lambda f: (f / "raw/link").symlink_to("/etc/hostname"), f"data/letters/raw/link: {LINK}"),
    "link to a folder": (lambda f: (f / "raw/link").symlink_to("/etc"), f"data/letters/raw/link: {LINK}"),
    "output": (_linked_file, f"data/letters/samples.parquet: {LINK}"),
    "folder above": (_linked_folder, f"data/letters/processed: {LINK}"),
    "pipe": (lambda f: os.mkfifo(f / "raw/pipe"), f"data/letters/raw/pipe: {LINK}"),
    "README": (lambda f: write(f / "README.md", "mine"), f"data/letters/README.md: {CHANGED}"),
    "pipeline": (lambda f: write(f / "dvc.yaml", "stages: {}"), f"data/letters/dvc.yaml: {CHANGED}"),
    "params": (lambda f: write(f / "params.yaml", "{}"), f"data/letters/params.yaml: {CHANGED}"),
    "sources": (lambda f: (f / "sources.csv").unlink(), f"data/letters/sources.csv: {CHANGED}"),
}


@pytest.mark.parametrize(("spoil", "message"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_what_a_stage_should_not_do_is_refused(built: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(built / LETTERS)
    refused(14, message, lambda: clean(Workspace(built), "stats"))
    refused(14, message, lambda: publish(Workspace(built), "local", "auto"))
    assert tags(built / "origin.git") == {}


def test_a_step_before_the_plan_and_a_stage_that_made_nothing(built: Path) -> None:
    (built / LETTERS / "samples.parquet").unlink()
    refused(10, "letters stage parquetizer: ", lambda: publish(Workspace(built), "local", "auto"))
    (built / "plan.json").unlink()
    refused(10, "plan.json: not found; fix: run the step plan first", lambda: clean(Workspace(built), "stats"))


def test_a_release_is_made_once_and_its_tag_says_by_whom(built: Path) -> None:
    before, out = built / "before", built / "out"
    shutil.copytree(built / "repo", before, symlinks=True)
    command = ["argo", "publish", "--workspace", str(built), "--out", str(out), "--workflow", "4711"]

    def outcome() -> list[str]:
        done = CliRunner().invoke(cli, command, env={"IS_AUTOMATED": "true"})
        assert done.exit_code == 0, done.output
        return [(out / name).read_text() for name in ("tag", "outcome")]

    assert outcome() == [V1, "released"]
    assert "\nargo-workflow-uid: 4711\nautomated: true\n" in git(built / "origin.git", "cat-file", "tag", V1)
    elsewhere(built, "README.md")
    assert outcome() == [V1, "already released"], "as if its pod had died at the very end"
    shutil.rmtree(built / "repo")
    before.rename(built / "repo")
    assert outcome() == [V1, "already released"], "as if it had died right after the push"
    assert list(tags(built / "origin.git")) == [V1]


def test_the_same_bytes_again_are_no_release(released: Path) -> None:
    work(Workspace(released), plan(released, force=True))
    write(released / LETTERS / "dvc.lock", "schema: '2.0'\nstages: {")  # as if an attempt had died while it wrote
    assert publish(Workspace(released), "local", "auto").outcome == "already released"
    assert list(tags(released / "origin.git")) == [V1]


def test_a_dataset_that_has_changed_on_main_meanwhile_is_not_released(built: Path) -> None:
    elsewhere(built, "data/letters/README.md")
    message = "data/letters/README.md: has changed on origin"
    refused(40, message, lambda: publish(Workspace(built), "local", "auto"))
    assert tags(built / "origin.git") == {}


def test_it_is_pushed_to_where_that_is_allowed(built: Path) -> None:
    refused(41, "git remote origin (", lambda: publish(Workspace(built), "local", "auto", str(built / "gone.git")))
    assert publish(Workspace(built), "local", "auto", str(built / "origin.git")).outcome == "released"
    shutil.move(built / "origin.git", built / "gone.git")
    refused(12, "git remote origin: ", lambda: publish(Workspace(built), "local", "auto"))
