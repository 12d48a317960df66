"""cluster submit: the real kubectl, an API that answers as scripted, and what GitHub Actions may hand over."""

import base64
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner, Result
from cluster.cli import cli
from cluster.github.request import OWN, choices, read_request
from cluster.github.submit import manifest
from conftest import git
from unit.cluster.api_server import Cluster

VARIABLES = ("INPUTS_JSON", "EVENT_NAME", "GIT_SHA", "BEFORE_SHA", "RUN_URL", "GITHUB_STEP_SUMMARY", "KUBECONFIG")
RUN_URL = "https://github.com/OpenCloudHub/data-registry/actions/runs/4711"
SCHEDULED = ["", "null", "{}", json.dumps(dict.fromkeys([*choices("data"), "pipelines"], ""))]
DEFAULTS = {"revision": "main", "force": "false", "bump_type": "auto", "compute_type": "cpu-small"}
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two datasets that have sources, and one that is made from a release of the first."""
    tree = tmp_path / "tree"
    for name in ("apples", "pears", "apples-embeddings"):
        (tree / "data" / name).mkdir(parents=True)
        (tree / "data" / name / "dvc.yaml").write_text("stages: {}\n")
        (tree / "data" / name / "params.yaml").write_text(f"dataset: {{name: {name}}}\n")
    with (tree / "data" / "apples-embeddings" / "params.yaml").open("a") as params:
        params.write("registry: {dataset: apples, version: apples-v1.0.0}\n")
    (tree / "tools").mkdir()
    (tree / "tools" / "run").write_text("a stand-in: nothing is built here\n")
    for name in (*VARIABLES, "KUBE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "scratch").mkdir()
    for name, value in {"REGISTRY_ROOT": tree, "HOME": tmp_path, "TMPDIR": tmp_path / "scratch"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr("tempfile.tempdir", None)  # or it keeps to what TMPDIR was before
    monkeypatch.chdir(tree)
    return tree


@pytest.fixture
def api(tree: Path) -> Iterator[Cluster]:
    with Cluster().running() as api:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data-registry"}}
        api.objects["/api/v1/namespaces/data-registry"] = namespace
        yield api


def submit(api: Cluster, pipeline: str, *arguments: str, **variables: str) -> Result:
    environ = {"KUBE_CONFIG": base64.b64encode(api.config().encode()).decode(), **variables}
    return CliRunner().invoke(cli, ["submit", pipeline, "--poll-interval", "0", *arguments], env=environ)


def last_line(result: Result) -> str:
    return result.stderr.splitlines()[-1]


def parameters(workflow: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in workflow["spec"]["arguments"]["parameters"]}


def templates(api: Cluster) -> list[str]:
    return [each["spec"]["workflowTemplateRef"]["name"] for each in api.workflows]


def pod(template: str, phase: str, at: int, **more: Any) -> dict[str, Any]:
    finished = f"2026-11-25T10:00:{at:02}Z"
    return {"type": "Pod", "templateName": template, "phase": phase, "finishedAt": finished, **more}


def failed(template: str, code: int, at: int = 1) -> dict[str, Any]:
    message = f"Error (exit code {code})"
    return pod(template, "Failed", at, message=message, outputs={"exitCode": str(code)})


def published(outcome: str) -> dict[str, Any]:
    parameters = [{"name": "tag", "value": "apples-v1.1.0"}, {"name": "outcome", "value": outcome}]
    nodes = {"1": pod("plan", "Succeeded", 1), "2": pod("publish", "Succeeded", 2, outputs={"parameters": parameters})}
    return {"phase": "Succeeded", "nodes": nodes}


RELEASED = published("released")


@needs_kubectl
@pytest.mark.parametrize("inputs", SCHEDULED)
def test_a_schedule_runs_every_dataset_that_has_sources(api: Cluster, inputs: str) -> None:
    done = submit(api, "data", INPUTS_JSON=inputs, EVENT_NAME="schedule")
    assert done.exit_code == 0, done.stderr
    assert templates(api) == ["data-apples", "data-pears"]
    assert [parameters(each) for each in api.workflows] == [{**DEFAULTS, "is_automated": "true"}] * 2
    assert [each["phase"] for each in json.loads(done.stdout)["workflows"]] == ["Succeeded", "Succeeded"]


@needs_kubectl
@pytest.mark.parametrize(("yes", "no"), [(True, False), ("true", "false")])
def test_the_button_says_what_is_run(api: Cluster, yes: Any, no: Any) -> None:
    given = {
        "pipelines": " pears ,",
        "force": yes,
        "is_automated": no,
        "bump_type": "minor",
        "compute_type": "gpu-large",
    }
    sha = "a" * 40
    done = submit(
        api,
        "data",
        INPUTS_JSON=json.dumps(given),
        EVENT_NAME="workflow_dispatch",
        GIT_SHA=sha,
        RUN_URL=RUN_URL,
    )
    assert done.exit_code == 0, done.stderr
    (workflow,) = api.workflows
    assert workflow["metadata"]["generateName"] == "data-pears-"
    assert workflow["metadata"]["labels"]["data-registry/github-run"] == "4711"
    assert workflow["metadata"]["annotations"] == {"data-registry/github-run-url": RUN_URL}
    assert parameters(workflow) == {
        "revision": sha,
        "force": "true",
        "bump_type": "minor",
        "is_automated": "false",
        "compute_type": "gpu-large",
    }


@needs_kubectl
@pytest.mark.parametrize(
    ("given", "version"), [("", "latest"), ("latest", "latest"), ("apples-v1.2.3", "apples-v1.2.3")]
)
def test_embeddings_are_made_from_the_latest_release_or_the_one_named(api: Cluster, given: str, version: str) -> None:
    assert submit(api, "embeddings", INPUTS_JSON=json.dumps({"data_version": given})).exit_code == 0
    (workflow,) = api.workflows
    assert workflow["spec"]["workflowTemplateRef"] == {"name": "data-apples-embeddings"}
    assert parameters(workflow) == {**DEFAULTS, "is_automated": "false", "data_version": version}


@needs_kubectl
def test_a_push_runs_what_it_has_changed(api: Cluster, tree: Path) -> None:
    git(tree, "init", "-q", "-b", "main")
    commits = [_committed(tree, "tools/run")]
    commits += [_committed(tree, path) for path in ("data/pears/params.yaml", "README", "data/images.yaml")]
    commits.append(_committed(tree, "data/apples/dvc.lock"))
    git(tree, "tag", "-a", "-m", "released", "apples-v1.0.0")
    commits.append(_committed(tree, "data/gone/README"))
    before = {"EVENT_NAME": "push", "BEFORE_SHA": commits[0]}
    assert submit(api, "data", GIT_SHA=commits[-1], **before).exit_code == 0
    assert templates(api) == ["data-pears"], "and not apples, for its last commit is a release"
    assert parameters(api.workflows[0])["revision"] == commits[-1]
    done = submit(api, "data", EVENT_NAME="push", BEFORE_SHA=commits[1], GIT_SHA=commits[-1])
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"workflows": []})
    _committed(tree, "data/apples-embeddings/params.yaml")
    done = submit(api, "embeddings", EVENT_NAME="push", BEFORE_SHA="0" * 40)
    assert done.exit_code == 0, done.stderr
    assert templates(api) == ["data-pears", "data-apples-embeddings"]
    assert parameters(api.workflows[1])["data_version"] == "", "what params.yaml says"


def _committed(tree: Path, path: str) -> str:
    (tree / path).parent.mkdir(exist_ok=True)
    with (tree / path).open("a") as file:
        file.write("# changed\n")
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", path)
    return git(tree, "rev-parse", "HEAD").strip()


@needs_kubectl
def test_what_was_released_and_what_failed_is_told(api: Cluster, tmp_path: Path) -> None:
    nodes = {"1": pod("plan", "Succeeded", 1), "2": failed("fetcher", 11, 2)}
    api.script = {
        "apples": [{"phase": "Pending"}, {"phase": "Running"}, RELEASED],
        "pears": [{"phase": "Running"}, {"phase": "Failed", "nodes": nodes}],
    }
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    done = submit(api, "data", RUN_URL=RUN_URL, GITHUB_STEP_SUMMARY=str(summary))
    assert done.exit_code == 11
    apples, pears = json.loads(done.stdout)["workflows"]
    assert (apples["phase"], apples["tag"], apples["is_new"], apples["code"]) == ("Succeeded", "apples-v1.1.0", True, 0)
    assert (pears["phase"], pears["step"], pears["code"]) == ("Failed", "fetcher", 11)
    assert last_line(done) == (
        "error: pears fetcher: Failed: Error (exit code 11); fix: kubectl --namespace=data-registry get workflow "
        "data-pears-00001 --output=yaml"
    )
    assert "apples: Succeeded; released apples-v1.1.0" in done.stderr.splitlines()
    text = summary.read_text()
    assert text.startswith(f"before\n### [data pipelines]({RUN_URL})\n")
    assert "| apples | Succeeded | released apples-v1.1.0 | - | - |" in text
    assert "| pears | Failed | - | fetcher | Error (exit code 11) |" in text


@needs_kubectl
@pytest.mark.parametrize(
    ("outcome", "is_new", "release"),
    [
        ("released", True, "released apples-v1.1.0"),
        ("completed", True, "released apples-v1.1.0"),
        ("already released", False, "no changes; apples-v1.1.0 is the last release"),
    ],
)
def test_nothing_is_called_released_that_was_before(
    api: Cluster, tmp_path: Path, outcome: str, is_new: bool, release: str
) -> None:
    api.script = {"apples": [published(outcome)]}
    summary = tmp_path / "summary.md"
    done = submit(api, "data", INPUTS_JSON='{"pipelines": "apples"}', GITHUB_STEP_SUMMARY=str(summary))
    (apples,) = json.loads(done.stdout)["workflows"]
    assert (apples["tag"], apples["is_new"]) == ("apples-v1.1.0", is_new)
    assert f"| apples | Succeeded | {release} | - | - |" in summary.read_text()
    assert f"apples: Succeeded; {release}" in done.stderr.splitlines()


@needs_kubectl
def test_an_attempt_that_a_later_one_mended_is_no_failure(api: Cluster) -> None:
    nodes = {
        "a": {"type": "Retry", "templateName": "fetcher", "phase": "Succeeded", "children": ["b", "c"]},
        "b": failed("fetcher", 12, 1),
        "c": pod("fetcher", "Succeeded", 2),
        "d": {"type": "Retry", "templateName": "stats", "phase": "Failed", "children": ["e", "f"]},
        "e": failed("stats", 51, 3),
        "f": failed("stats", 20, 4),
    }
    api.script = {"apples": [{"phase": "Failed", "nodes": nodes}]}
    assert submit(api, "data").exit_code == 20, "the last attempt's"


@needs_kubectl
def test_what_a_person_must_mend_counts_more_than_what_may_pass(api: Cluster) -> None:
    api.script = {
        "apples": [{"phase": "Failed", "nodes": {"1": failed("fetcher", 12)}}],
        "pears": [{"phase": "Failed", "nodes": {"1": failed("stats", 22)}}],
    }
    assert submit(api, "data").exit_code == 22


@needs_kubectl
def test_a_workflow_without_a_pod_that_failed_ends_with_40(api: Cluster) -> None:
    api.script = {"apples": [{"phase": "Error", "message": "workflowtemplates data-apples not found"}]}
    done = submit(api, "data", INPUTS_JSON='{"pipelines": "apples"}')
    assert done.exit_code == 40 and "Error: workflowtemplates data-apples not found" in last_line(done)


@needs_kubectl
def test_a_deadline_ends_the_wait_and_not_the_workflow(api: Cluster) -> None:
    api.script = {"pears": [{"phase": "Running"}]}
    done = submit(api, "data", "--timeout", "0.01")
    assert done.exit_code == 31
    assert last_line(done).startswith("error: pears: Running: still running after 0.01 minutes; fix: ")
    assert json.loads(done.stdout)["workflows"][0]["phase"] == "Succeeded"


@needs_kubectl
def test_the_former_names_of_options_are_accepted_and_not_shown(api: Cluster) -> None:
    api.script = {"pears": [{"phase": "Running"}]}
    done = submit(api, "data", "--patience", "0.01", "--pause=0")
    assert done.exit_code == 31, done.stderr
    text = CliRunner().invoke(cli, ["submit", "--help"]).stdout
    assert "--timeout" in text and "--patience" not in text


@needs_kubectl
def test_a_cluster_that_is_away_for_a_while_is_waited_for(api: Cluster) -> None:
    api.script = {"apples": [{"phase": "Running"}, 503, 503, RELEASED]}
    done = submit(api, "data")
    assert done.exit_code == 0, done.stderr


@needs_kubectl
def test_a_workflow_that_is_gone_is_a_failure(api: Cluster) -> None:
    api.script = {"apples": [{"phase": "Running"}, 404]}
    done = submit(api, "data")
    assert done.exit_code == 13 and 'Error: workflows.argoproj.io "data-apples-00000" not found' in last_line(done)


@needs_kubectl
def test_what_cannot_be_submitted_keeps_the_rest_from_being_tried(api: Cluster, tmp_path: Path) -> None:
    api.refusals = [403]
    summary = tmp_path / "summary.md"
    done = submit(api, "data", GITHUB_STEP_SUMMARY=str(summary))
    assert done.exit_code == 13 and api.workflows == []
    assert last_line(done).startswith("error: kubectl create: workflows.argoproj.io is forbidden")
    assert summary.read_text().count("| not submitted |") == 2


@needs_kubectl
def test_a_cluster_that_does_not_answer_is_exit_12(tree: Path) -> None:
    with Cluster().running() as gone:
        pass
    done = submit(gone, "data")
    assert done.exit_code == 12 and "refused" in last_line(done)


@needs_kubectl
def test_messages_cannot_change_the_summary(api: Cluster, tmp_path: Path) -> None:
    evil = "| x |\n# <img src=x onerror=alert(1)> [a](javascript:b) `c` @everyone"
    api.script = {"apples": [{"phase": "Failed", "message": evil}]}
    summary = tmp_path / "summary.md"
    submit(api, "data", GITHUB_STEP_SUMMARY=str(summary))
    (row,) = (line for line in summary.read_text().splitlines() if line.startswith("| apples"))
    assert row.count("|") == 6 and not set("<`@[]#") & set(row.replace("&#", ""))


EVIL = [
    "$(touch pwn)",
    "`touch pwn`",
    "; touch pwn",
    "apples\ntouch pwn",
    "{{workflow.parameters.revision}}",
    "${{ secrets.KUBE_CONFIG }}",
    "'\"; touch pwn; \"'",
    "apples' || touch pwn #",
    "../../etc/passwd",
    "--kubeconfig=/dev/null",
    "\u0000",
    "x" * 10_000,
]
FIELDS = [("data", name) for name in ("pipelines", *choices("data"))] + [
    ("embeddings", name) for name in ("data_version",)
]


@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
@pytest.mark.parametrize(("pipeline", "field"), FIELDS)
def test_any_other_value_is_refused_and_nothing_is_sent(
    api: Cluster, tree: Path, pipeline: str, field: str, evil: str
) -> None:
    _refuses(submit(api, pipeline, INPUTS_JSON=json.dumps({field: evil})), api, tree)


@pytest.mark.parametrize("evil", [each for each in EVIL if "\0" not in each], ids=range(len(EVIL) - 1))
@pytest.mark.parametrize("variable", ["INPUTS_JSON", "GIT_SHA", "RUN_URL", "BEFORE_SHA"])
def test_any_other_surroundings_are_refused_too(api: Cluster, tree: Path, variable: str, evil: str) -> None:
    git(tree, "init", "-q")
    event = {"EVENT_NAME": "push"} if variable == "BEFORE_SHA" else {}
    _refuses(submit(api, "data", **event, **{variable: evil}), api, tree)


@pytest.mark.parametrize(
    "inputs",
    [
        "[]",
        '"all"',
        "1",
        '{"force": 1}',
        '{"pipelines": ["apples"]}',
        '{"pipelines": {"a": "b"}}',
        '{"image": "evil"}',
        '{"data_version": "latest"}',
        '{"pipelines": "apples-embeddings"}',
        '{"force": "yes"}',
        "[" * 100_000,
    ],
)
def test_inputs_that_are_none_are_refused(api: Cluster, tree: Path, inputs: str) -> None:
    _refuses(submit(api, "data", INPUTS_JSON=inputs), api, tree)


@pytest.mark.parametrize("version", ["1.0.0", "pears-v1.0.0", "apples-v1", "apples-v01.0.0", "apples-v1.0.0-rc1"])
def test_a_data_version_is_a_release_of_the_parent(api: Cluster, tree: Path, version: str) -> None:
    done = submit(api, "embeddings", INPUTS_JSON=json.dumps({"data_version": version}))
    _refuses(done, api, tree)
    assert last_line(done) == (
        f"error: data_version: invalid release: '{version}'; fix: use latest or a tag, such as apples-v1.0.0"
    )


def _refuses(done: Result, api: Cluster, tree: Path) -> None:
    assert done.exit_code == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("error: ") and len(done.stderr) < 400
    assert api.seen == [] and not list(tree.rglob("pwn"))


def test_a_kubeconfig_that_is_none_is_refused_and_not_shown(api: Cluster) -> None:
    done = submit(api, "data", KUBE_CONFIG="hunter2: [")
    assert done.exit_code == 2 and "hunter2" not in done.stderr + done.stdout
    assert last_line(done).startswith("error: KUBE_CONFIG: invalid kubeconfig; fix: set the secret to a kubeconfig")


RECORDER = """\
#!/bin/sh
stat -c %a "$KUBECONFIG" >> "{notes}"
env >> "{notes}"
printf '%s\\n' "$@" >> "{notes}"
exit 1
"""


def test_the_kubeconfig_is_for_this_user_and_only_while_it_is_needed(
    api: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "notes"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").write_text(RECORDER.format(notes=notes))
    (tmp_path / "bin" / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert submit(api, "data", KUBE_CONFIG=api.config()).exit_code == 13
    text = notes.read_text()
    assert text.startswith("600\n") and "secret-token" not in text and "KUBE_CONFIG=" not in text
    assert list((tmp_path / "scratch").iterdir()) == []


def test_without_kubectl_it_says_so(api: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    done = submit(api, "data")
    assert done.exit_code == 10
    assert last_line(done) == "error: kubectl: not installed; fix: install it, and run again"


@needs_kubectl
def test_stdout_is_one_object_and_stderr_the_progress(api: Cluster, tree: Path) -> None:
    environ = {**os.environ, "KUBE_CONFIG": api.config(), "EVENT_NAME": "schedule"}
    command = [str(Path(sys.executable).with_name("cluster")), "submit", "data", "--pause", "0"]
    done = subprocess.run(command, env=environ, cwd=tree, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["workflows"]) == 2 and len(done.stdout.splitlines()) == 1
    assert done.stderr.splitlines()[0] == "apples: submitted as data-apples-00000"


def test_templates_declare_what_is_submitted(root: Path) -> None:
    paths = sorted(root.glob("data/*/workflow.yaml"))
    if not paths:
        pytest.skip("no dataset has a workflow.yaml")
    for path in paths:
        declared = {each["name"]: each for each in yaml.safe_load(path.read_text())["spec"]["arguments"]["parameters"]}
        pipeline = "embeddings" if path.parent.name.endswith("-embeddings") else "data"
        own = {OWN["embeddings"]} if pipeline == "embeddings" else set()
        assert set(declared) == {"revision", *choices(pipeline), *own}, path
        for name, allowed in choices(pipeline).items():
            assert list(allowed) == declared[name]["enum"], f"{path} {name}"


@pytest.mark.parametrize("version", ["3.7.3", "4.1.2"])
def test_what_is_submitted_is_a_workflow_for_argo(tree: Path, version: str) -> None:
    folder = os.environ.get("ARGO_SCHEMAS", "")
    if not folder:
        pytest.skip("ARGO_SCHEMAS names no folder of Argo's schemas")
    schema = json.loads(gzip.decompress((Path(folder) / f"argo-{version}.strict.schema.json.gz").read_bytes()))
    request = read_request(tree, "embeddings", "", revision="a" * 40, run_url=RUN_URL)
    workflow = {"$ref": "#/definitions/io.argoproj.workflow.v1alpha1.Workflow", "definitions": schema["definitions"]}
    jsonschema.validate(manifest("apples-embeddings", request), workflow)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**manifest("apples-embeddings", request), "specs": {}}, workflow)
