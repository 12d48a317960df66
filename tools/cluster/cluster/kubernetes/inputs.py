"""What a run of GitHub Actions asks for: its inputs, checked, and every default, in this one place."""

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from data_registry.releases.versions import TAG
from data_registry.stage.errors import UsageError
from data_registry.stage.foreign import read_json
from registry.datasets import Dataset, find_datasets

from cluster.argo.rayjob import RAY
from cluster.argo.template import BOOLEANS, BUMPS, COMPUTE_TYPES
from cluster.kubernetes.changed import COMMIT

PIPELINES = ("data", "embeddings")
CHOICES = {"force": BOOLEANS, "bump_type": BUMPS, "is_automated": BOOLEANS}
OWN = {"data": "pipelines", "embeddings": "data_version"}  # what only one of the two takes
RUN = re.compile(r"https://[\w.-]+(:\d+)?/[\w.-]+/[\w.-]+/actions/runs/\d{1,20}", re.ASCII)


def choices(pipeline: str) -> dict[str, list[str]]:
    """Return the values that each input may have, the default first; only embedding is done by Ray's machines."""
    return {**CHOICES, "compute_type": COMPUTE_TYPES + [RAY] * (pipeline == "embeddings")}


@dataclasses.dataclass(frozen=True)
class Request:
    """The datasets to run, the parameters that each workflow gets, and the run of GitHub Actions that asks for them."""

    datasets: tuple[str, ...]
    parameters: Mapping[str, str]
    run_url: str = ""

    @property
    def run_id(self) -> str:
        """Its number; empty where it is no run of GitHub Actions."""
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
    """Return what is asked for by GitHub's ``toJSON(inputs)``: on a schedule it is null, or its values are empty.

    ``changed`` are the datasets that a push has changed, where it is a push; nothing else is run then.
    Raises UsageError for any value that is not one of those it may be.
    """
    allowed = choices(pipeline)
    given = _given(inputs, {OWN[pipeline], *allowed})
    defaults = {"is_automated": "true" if event == "schedule" else "false"}
    parameters = {"revision": _revision(revision)} | {
        name: _one_of(name, given.get(name) or defaults.get(name, values[0]), values)
        for name, values in allowed.items()
    }
    runnable = [each for each in find_datasets(root, "all") if bool(each.parent) == (pipeline == "embeddings")]
    if pipeline == "embeddings":
        # A push has said in params.yaml which version it wants.
        version = given.get("data_version") or ("" if changed is not None else "latest")
        parameters["data_version"] = _data_version(version, runnable)
        chosen = [each.name for each in runnable]
    else:
        chosen = _named(given.get("pipelines") or "all", [each.name for each in runnable])
    if run_url and not RUN.fullmatch(run_url):
        raise UsageError("RUN_URL", f"{run_url!r:.60} is no run", "pass the address of its page, .../actions/runs/1")
    return Request(tuple(name for name in chosen if changed is None or name in changed), parameters, run_url)


def _given(inputs: str, known: Collection[str]) -> dict[str, str]:
    """Return the inputs as text, without those left out."""
    found = read_json(inputs.strip() or "null", "INPUTS_JSON", (dict, None), UsageError, "pass toJSON(inputs)")
    if found is None:
        return {}
    texts: dict[str, str] = {}
    for name, value in found.items():
        if name not in known:
            raise UsageError("INPUTS_JSON", f"unknown input {name!r:.60}", f"use: {', '.join(sorted(known))}")
        if isinstance(value, bool):
            texts[name] = str(value).lower()
        elif isinstance(value, str):
            texts[name] = value.strip()
        elif value is not None:
            raise UsageError(name, f"{value!r:.60} is neither text, true nor false", "pass toJSON(inputs)")
    return texts


def _one_of(name: str, value: str, allowed: Iterable[str]) -> str:
    if value not in allowed:
        raise UsageError(name, f"{value!r:.60} is unknown", f"use one of: {', '.join(allowed)}")
    return value


def _named(names: str, known: list[str]) -> list[str]:
    wanted = {name.strip() for name in names.split(",")} - {""}
    for name in sorted(wanted - {"all", *known}):
        raise UsageError("pipelines", f"no dataset {name!r:.60}", f"use: {', '.join(known)}, or all")
    return [name for name in known if name in wanted or "all" in wanted]


def _revision(revision: str) -> str:
    if revision and not COMMIT.fullmatch(revision):
        raise UsageError("GIT_SHA", f"{revision!r:.60} is no commit", "pass github.sha, 40 hex digits")
    return revision or "main"


def _data_version(version: str, datasets: list[Dataset]) -> str:
    parents = sorted({_parent(each) for each in datasets})
    found = TAG.fullmatch(version)
    if version in {"", "latest"} or (found and found["name"] in parents):
        return version
    fix = f"use latest, or a tag, as {' or '.join(f'{name}-v1.0.0' for name in parents)}"
    raise UsageError("data_version", f"{version!r:.60} is no release", fix)


def _parent(dataset: Dataset) -> str:
    return str(dataset.params()["registry"]["dataset"])
