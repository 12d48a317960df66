"""GitHub Actions, shell scripts and Dockerfiles: valid, pinned, with few rights, and no value pasted into a shell."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.github.request import OWN, choices
from data_registry.clone import repository
from registry.datasets import find_datasets

ROOT = repository()
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yaml"))
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
HADOLINT = {  # the rules that are not followed, and why
    "DL3003": "cd within one RUN: a WORKDIR cannot stand between commands that make one layer",
    "DL3008": "Debian keeps one version of a package in a release, and drops it for the next security fix",
    "DL3022": "wheels and tools are contexts that Compose hands to the build, which hadolint takes for stages",
    "DL3045": "in a build stage whose only folder is the root",
}


def tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    return sorted(ROOT / name for name in listed if name and (ROOT / name).is_file())


def check(*command: object) -> None:
    done = subprocess.run([str(each) for each in command], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["jobs"]
    return found


def triggers(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())[True]  # YAML reads "on" as a truth value
    return found


def steps() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in WORKFLOWS:
        for job in jobs(path).values():
            yield from ((path, step) for step in job["steps"])


@pytest.mark.parametrize(
    ("schema", "files"), [("github-workflows", WORKFLOWS), ("dependabot", [ROOT / ".github/dependabot.yaml"])]
)
def test_files_follow_their_schemas(schema: str, files: list[Path]) -> None:
    check("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)


def test_zizmor_finds_nothing() -> None:
    check("zizmor", "--offline", "--no-progress", "--persona=pedantic", ".github")


def test_hadolint_finds_nothing() -> None:
    ignored = [argument for rule in HADOLINT for argument in ("--ignore", rule)]
    check("hadolint", *ignored, *tracked("*Dockerfile"))


def test_shellcheck_finds_nothing() -> None:
    scripts = [path for path in tracked() if re.match(rb"#!.*\b(ba|da)?sh\b", path.read_bytes()[:80])]
    assert {ROOT / ".ci/run", ROOT / ".github/install-program"} <= {*scripts}
    check("shellcheck", *scripts)


def test_actions_are_pinned_by_commit_and_say_their_version() -> None:
    found = [used for path in WORKFLOWS for used in re.findall(r"\buses: (.*)$", path.read_text(), re.MULTILINE)]
    assert found and all(PINNED.fullmatch(used) for used in found)
    names: dict[str, set[str]] = {}
    for used in found:
        names.setdefault(used.partition("@")[0], set()).add(used)
    assert all(len(pins) == 1 for pins in names.values()), "one version of each"


def test_a_program_is_compared_with_its_hash_and_is_the_same_everywhere() -> None:
    found: dict[str, set[str]] = {}
    for _, step in steps():
        if step.get("run") == ".github/install-program":
            given = step["env"]
            assert set(given) == {"NAME", "URL", "SHA256"} and given["URL"].startswith("https://")
            found.setdefault(given["NAME"], set()).add(f"{given['URL']} {given['SHA256']}")
        assert "curl" not in step.get("run", "")
    assert set(found) == {"actionlint", "argo", "kubectl"} and all(len(each) == 1 for each in found.values())
    for path in WORKFLOWS:
        hashes = re.findall(r"sha256: (.*)$", path.read_text(), re.MULTILINE | re.IGNORECASE)
        assert all(re.fullmatch(r"[0-9a-f]{64}|\$\{\{ matrix\.sha256 \}\}", each) for each in hashes)


def test_no_value_is_pasted_into_a_shell() -> None:
    assert not [(path.name, step["run"]) for path, step in steps() if "${{" in step.get("run", "")]


def test_rights_are_given_to_jobs_alone_and_credentials_are_not_left_behind() -> None:
    for path in WORKFLOWS:
        assert yaml.safe_load(path.read_text())["permissions"] == {}
        assert all("permissions" in job and "timeout-minutes" in job for job in jobs(path).values())
        assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(triggers(path))
    for path, step in steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, path


def test_secrets_are_of_environments_and_never_for_pull_requests() -> None:
    for path in WORKFLOWS:
        for name, job in jobs(path).items():
            if "secrets." in json.dumps(job):
                assert job["environment"] in {"data-release", "data-images"}, f"{path.name} {name}"
                assert "CLUSTER_RUNNER" in job["runs-on"]
                assert "pull_request" not in triggers(path) or "needs" in job
            else:
                assert job["runs-on"] == "ubuntu-24.04"


def test_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    seen = set()
    for _, step in steps():
        for command in re.findall(r"(?:make|tools/run) [^)>|\n]*", step.get("run", "")):
            words = shlex.split(command)
            seen.add(" ".join(words[:3]))
            if words[0] == "make":
                assert words[1] in targets
                continue
            assert words[1] == "cluster"
            shown = subprocess.run(["cluster", words[2], "--help"], text=True, capture_output=True, check=True).stdout
            assert all(f" {word} " in shown or f" {word}\n" in shown for word in words if word.startswith("--"))
    assert {"make test", "make demo", "tools/run cluster submit", "tools/run cluster pins"} <= seen


@pytest.mark.parametrize("pipeline", ["data", "embeddings"])
def test_buttons_offer_what_the_command_takes(pipeline: str) -> None:
    name = {"data": "run-data-pipelines", "embeddings": "run-embeddings-pipeline"}[pipeline]
    inputs = triggers(ROOT / f".github/workflows/{name}.yaml")["workflow_dispatch"]["inputs"]
    assert set(inputs) == {OWN[pipeline], *choices(pipeline)}
    for each, allowed in choices(pipeline).items():
        if inputs[each]["type"] == "boolean":
            assert inputs[each]["default"] is False
        else:
            assert inputs[each]["options"] == allowed and inputs[each]["default"] == allowed[0]


def test_a_push_runs_each_dataset_in_one_of_the_two() -> None:
    made = {f"data/{each.name}/**" for each in find_datasets(ROOT, "all") if each.parent}
    data = triggers(ROOT / ".github/workflows/run-data-pipelines.yaml")["push"]["paths"]
    embeddings = triggers(ROOT / ".github/workflows/run-embeddings-pipeline.yaml")["push"]["paths"]
    assert data == ["data/*/**", *(f"!{path}" for path in sorted(made))] and embeddings == sorted(made)


def test_a_comparison_that_says_nothing_is_no_comment(tmp_path: Path) -> None:
    found = jobs(ROOT / ".github/workflows/dataset-diff.yaml")
    assert "needs.compare.outputs.diff != ''" in found["comment"]["if"]
    assert found["compare"]["outputs"] == {"diff": "${{ steps.diff.outputs.artifact-id }}"}
    *_, tidy, upload = found["compare"]["steps"]
    assert upload["id"] == "diff" and upload["with"]["if-no-files-found"] == "ignore"
    file = tmp_path / upload["with"]["path"]
    for text, is_kept in (("### emotion\n", True), ("", False)):
        file.write_text(text)
        subprocess.run(["bash", "-e", "-c", tidy["run"]], cwd=tmp_path, check=True)
        assert file.exists() is is_kept
    subprocess.run(["bash", "-e", "-c", tidy["run"]], cwd=tmp_path, check=True)


def test_release_tags_can_be_made_and_neither_moved_nor_deleted() -> None:
    ruleset = json.loads((ROOT / ".github/rulesets/release-tags.json").read_text())
    assert ruleset["target"] == "tag" and ruleset["enforcement"] == "active" and ruleset["bypass_actors"] == []
    assert ruleset["conditions"]["ref_name"] == {"include": ["refs/tags/*-v*"], "exclude": []}
    assert {rule["type"] for rule in ruleset["rules"]} == {"deletion", "non_fast_forward", "update"}
