"""The request of a run of GitHub Actions: its inputs, checked, with every default; and the datasets of a push."""

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from data_registry.git import Git
from data_registry.releases.versions import TAG, list_tags
from data_registry.stage.errors import UsageError
from data_registry.stage.foreign import read_json
from registry.datasets import Dataset, find_datasets

from cluster.templates.rayjob import RAY
from cluster.templates.template import BOOLEANS, BUMPS, COMPUTE_TYPES

PIPELINES = ("data", "embeddings")
CHOICES = {"force": BOOLEANS, "bump_type": BUMPS, "is_automated": BOOLEANS}
OWN = {"data": "pipelines", "embeddings": "data_version"}  # the input that only one of the two has
RUN = re.compile(r"https://[\w.-]+(:\d+)?/[\w.-]+/[\w.-]+/actions/runs/\d{1,20}", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # which every repository knows


def choices(pipeline: str) -> dict[str, list[str]]:
    """Return the values that each input may have, the default first; only the embeddings can use Ray."""
    return {**CHOICES, "compute_type": COMPUTE_TYPES + [RAY] * (pipeline == "embeddings")}


@dataclasses.dataclass(frozen=True)
class Request:
    """The datasets to run, the parameters of their workflows, and the URL of the run of GitHub Actions."""

    datasets: tuple[str, ...]
    parameters: Mapping[str, str]
    run_url: str = ""

    @property
    def run_id(self) -> str:
        """The run's number; empty where it is not a run of GitHub Actions."""
        return self.run_url.rpartition("/")[2]


def read_request(
    root: Path,
    pipeline: str,
    inputs: str,
    *,
    event: str = "",
    revision: str = "",
    run_url: str = "",
    changed: Collection[str] | None = None,
) -> Request:
    """Return the request in GitHub's ``toJSON(inputs)``, which is null or has empty values on a schedule.

    ``changed`` are the datasets that a push has changed, if it is a push; only those are run then.
    Raises UsageError for an invalid value.
    """
    allowed = choices(pipeline)
    values = _read_inputs(inputs, {OWN[pipeline], *allowed})
    defaults = {"is_automated": "true" if event == "schedule" else "false"}
    parameters = {"revision": _revision(revision)} | {
        name: _one_of(name, values.get(name) or defaults.get(name, allowed[name][0]), allowed[name]) for name in allowed
    }
    datasets = [dataset for dataset in find_datasets(root, "all") if bool(dataset.parent) == (pipeline == "embeddings")]
    names = [dataset.name for dataset in datasets]
    if pipeline == "embeddings":
        # A push has set the version in params.yaml.
        version = values.get("data_version") or ("" if changed is not None else "latest")
        parameters["data_version"] = _data_version(version, datasets)
    else:
        names = _selected(values.get("pipelines") or "all", names)
    if run_url and not RUN.fullmatch(run_url):
        fix = "pass the address of the run's page, .../actions/runs/1"
        raise UsageError("RUN_URL", f"invalid URL of a run: {run_url!r:.60}", fix)
    return Request(tuple(name for name in names if changed is None or name in changed), parameters, run_url)


def pushed_datasets(git: Git, before: str, after: str) -> set[str]:
    """Return the datasets that a push has changed.

    ``before`` may be gone, as after a forced push, or all zeros, as for a new branch; then it is every dataset.
    Raises UsageError for an invalid commit.
    """
    if not COMMIT.fullmatch(before):
        raise UsageError("BEFORE_SHA", f"invalid commit: {before!r:.60}", "pass github.event.before, 40 hex digits")
    return changed_datasets(git, before if git.resolve(f"{before}^{{tree}}") else EMPTY_TREE, after or "HEAD")


def changed_datasets(git: Git, base: str, after: str = "HEAD") -> set[str]:
    """Return the datasets in whose folders two commits differ, except those whose last commit is their release.

    A release is pushed too, and its changes must not run again. Raises UsageError for an unknown commit.
    """
    first, last = git.resolve(f"{base}^{{tree}}"), git.resolve(f"{after}^{{commit}}")
    if not first or not last:
        raise UsageError("git", f"unknown commit: {(after if first else base)!r:.60}", "fetch the whole history")
    paths = git("diff-tree", "-r", "--name-only", "-z", "--no-renames", first, last, "--", "data").split("\0")
    names = {path.split("/")[1] for path in paths if path.count("/") > 1}
    return {name for name in names if not _is_release(git, name, last)}


def _is_release(git: Git, name: str, revision: str) -> bool:
    """Return whether the last commit of a dataset's folder has a release tag of it."""
    commit = git("rev-list", "-1", revision, "--", f"data/{name}")
    tags = list_tags(git, f"--points-at={commit}", "refs/tags") if commit else {}
    return any(match["name"] == name for tag in tags if (match := TAG.fullmatch(tag)))


def _read_inputs(inputs: str, names: Collection[str]) -> dict[str, str]:
    """Return the inputs as text, without those left out."""
    values = read_json(inputs.strip() or "null", "INPUTS_JSON", (dict, None), UsageError, "pass toJSON(inputs)")
    texts: dict[str, str] = {}
    for name, value in (values or {}).items():
        if name not in names:
            raise UsageError("INPUTS_JSON", f"unknown input {name!r:.60}", f"use one of: {', '.join(sorted(names))}")
        if isinstance(value, bool):
            texts[name] = str(value).lower()
        elif isinstance(value, str):
            texts[name] = value.strip()
        elif value is not None:
            raise UsageError(name, f"expected a text, true or false, got {value!r:.60}", "pass toJSON(inputs)")
    return texts


def _one_of(name: str, value: str, allowed: Iterable[str]) -> str:
    if value not in allowed:
        raise UsageError(name, f"unknown value {value!r:.60}", f"use one of: {', '.join(allowed)}")
    return value


def _selected(names: str, known: list[str]) -> list[str]:
    selected = {name.strip() for name in names.split(",")} - {""}
    for name in sorted(selected - {"all", *known}):
        raise UsageError("pipelines", f"unknown dataset {name!r:.60}", f"use one of: {', '.join(known)}, or all")
    return [name for name in known if name in selected or "all" in selected]


def _revision(revision: str) -> str:
    if revision and not COMMIT.fullmatch(revision):
        raise UsageError("GIT_SHA", f"invalid commit: {revision!r:.60}", "pass github.sha, 40 hex digits")
    return revision or "main"


def _data_version(version: str, datasets: list[Dataset]) -> str:
    parents = sorted({str(dataset.params()["registry"]["dataset"]) for dataset in datasets})
    tag = TAG.fullmatch(version)
    if version in {"", "latest"} or (tag and tag["name"] in parents):
        return version
    fix = f"use latest or a tag, such as {' or '.join(f'{name}-v1.0.0' for name in parents)}"
    raise UsageError("data_version", f"invalid release: {version!r:.60}", fix)
