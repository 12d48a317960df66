"""Which samples a registered model was trained on: from MLflow to its run, its release, and the rows."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from data_registry.git import Git
from data_registry.releases.completeness import report_gaps
from data_registry.releases.lookup import find_release
from data_registry.releases.release import Release
from data_registry.releases.versions import TAG
from data_registry.stage.errors import InputMissing, UsageError, VerificationFailed
from data_registry.store.manifests import fetch_manifest
from data_registry.training.log_dataset import VERSION
from data_registry.training.selection import TRAINING, Selection

from registry.lineage.runs import Trained, find_model, read_selections

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOT_LOGGED = "not logged"


@dataclasses.dataclass(frozen=True)
class Part:
    """Samples of a release that a run has used; ``how`` they were named, or that they were not.

    ``samples`` has ``sample_id``, ``split``, ``file`` and ``row``.
    """

    tag: str
    logical_hash: str
    context: str
    split: str
    how: str
    samples: pa.Table
    of: int  # the samples of the release
    repeated: int = 0  # of the samples


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Where a model comes from."""

    model: str
    version: str
    run_id: str
    release: str
    said_in: str  # its run's "tag" or "param"
    image: str
    workflow: str
    provenance: dict[str, Any]
    parts: list[Part]


def explain(client: "MlflowClient", root: Path, model: str, remote: str = "") -> Explanation:
    """Explain a model version, ``name/version`` or ``name@alias``.

    Raises InputMissing where MLflow or git have no such thing, UsageError where its run names no release,
    VerificationFailed where the release is not what the run was given.
    """
    git = Git(root)
    report_gaps(git)
    trained = find_model(client, model)
    tag, said_in = release_of(trained)
    release = _release(git, tag)
    parts = [
        _part(_release(git, selection.tag), selection, ids, remote)
        for selection, ids in read_selections(client, trained)
    ]
    if not any(part.tag == tag and part.context == TRAINING for part in parts):
        samples = _places(release, remote)
        parts.insert(0, Part(tag, release.logical_hash, TRAINING, "", NOT_LOGGED, samples, len(samples)))
    return Explanation(
        trained.model,
        trained.version,
        trained.runs[0].info.run_id,
        tag,
        said_in,
        trained.noted("docker_image_tag"),
        trained.noted("argo_workflow_uid"),
        release.metadata.get("provenance", {}),
        parts,
    )


def release_of(trained: Trained) -> tuple[str, str]:
    """Return the release that a model's run names, and where. Raises UsageError where it names none."""
    where = f"models:/{trained.model}/{trained.version}"
    if not trained.runs:
        fix = "register models from their run: mlflow.register_model(f'runs:/{run_id}/model', name)"
        raise UsageError(where, "has no run, so nothing says what it was trained on", fix)
    tag, said_in = trained.said
    fix = "call registry.log_dataset in the training, or set that tag on the run to <dataset>-v<version>"
    if not tag:
        raise UsageError(where, f"its run {trained.runs[0].info.run_id} has no tag or param {VERSION}", fix)
    if not TAG.fullmatch(tag):
        raise UsageError(where, f"its run's {VERSION} is {tag!r:.80}, which is no tag of a release", fix)
    return tag, said_in


def _release(git: Git, tag: str) -> Release:
    found = TAG.fullmatch(tag)
    try:
        if found:
            return find_release(git, found["name"], found["version"])
    except UsageError as error:
        raise InputMissing(tag, "is no release that this clone knows", "git fetch --tags, then run again") from error
    raise InputMissing(tag, "is no tag of a release", "look at the run in MLflow")


def _part(release: Release, selection: Selection, ids: pa.Array | None, remote: str) -> Part:
    if selection.logical_hash != release.logical_hash:
        what = f"is {release.logical_hash[:16]} here, and was {selection.logical_hash[:16]} to the run: a tag has moved"
        raise VerificationFailed(release.tag, what, "compare with the registry that the run names")
    everything = _places(release, remote)
    samples = everything
    if ids is not None:
        found = pc.index_in(ids, value_set=everything["sample_id"].combine_chunks())
        if found.null_count:
            what = f"the run has logged {found.null_count} samples that it does not have"
            raise VerificationFailed(release.tag, what, "compare with the registry that the run names")
        samples = everything.take(found)
    elif selection.split:
        samples = everything.filter(pc.equal(everything["split"], selection.split))
    said = (selection.context, selection.split, selection.how)
    return Part(release.tag, release.logical_hash, *said, samples, len(everything), selection.repeated)


def _places(release: Release, remote: str) -> pa.Table:
    return pq.read_table(fetch_manifest(release, remote), columns=["sample_id", "split", "file", "row"])
