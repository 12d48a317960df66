"""Write down, in the MLflow run that trains a model, which samples of which release it uses."""

import dataclasses
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_registry.releases.registries import opened
from data_registry.releases.versions import TAG
from data_registry.samples import read_manifest
from data_registry.stage.errors import UsageError
from data_registry.stage.redaction import safe_url
from data_registry.store.manifests import fetch_manifest
from data_registry.training.selection import (
    CONTEXTS,
    FOLDER,
    TRAINING,
    Selection,
    choose,
    digest,
    repeats,
    write_selection,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

VERSION = "dvc_data_version"  # the tag of a run, or as some consumers have it the param, that names a release
CONTEXT = "mlflow.data.context"
DIGEST = 16  # digits of the logical hash; MLflow takes 36 at most


@dataclasses.dataclass(frozen=True)
class Logged:
    """What a run has been told."""

    run_id: str
    tag: str
    logical_hash: str
    context: str
    samples: int  # those that are repeated too
    repeated: int
    artifact: str


def log_dataset(
    name: str,
    version: str,
    *,
    split: str | None = None,
    rows: Any = None,
    sample_ids: Iterable[Any] | None = None,
    context: str = TRAINING,
    client: "MlflowClient | None" = None,
    run_id: str | None = None,
    repo: str | None = None,
    remote: str | None = None,
) -> Logged:
    """Log to the active MLflow run, or ``run_id``, that it uses samples of a release: these rows or ids, or all.

    ``version`` is a number, or the whole tag as in DVC_DATA_VERSION. ``rows`` are those of the split's file, counted
    from 0, or a mask over them: a list, an array, a range, or the index of a frame, as ``rows=train.index``. A mask
    that is a pandas Series counts by its index, which must be that of the split; any other Series is refused, as its
    values may be row numbers or labels. ``context`` is training, validation, test or evaluation. The release is found
    as ``registry.load`` finds it.

    Raises UsageError where no run is active, the run has another version of the dataset, ``rows`` could mean two
    things, or the release lacks the samples; whatever MLflow raises.
    """
    if context not in CONTEXTS:
        raise UsageError("context", f"unknown {context!r:.60}", f"use one of: {', '.join(CONTEXTS)}")
    client, run_id = _run(client, run_id)
    with opened(name, version, repo) as release:
        data = client.get_run(run_id).data
        said = data.tags.get(VERSION) or data.params.get(VERSION)
        known = TAG.fullmatch(said or "")
        if said != release.tag and known and known["name"] == name:
            fix = "train on one version in a run, or start another run"
            raise UsageError(f"run {run_id}", f"uses {said}, and now {release.tag} too", fix)
        manifest = fetch_manifest(release, remote or os.environ.get("DVC_REMOTE", ""))
        how, ids = choose(manifest, split, rows, sample_ids)
        selection = Selection(
            release.tag, release.logical_hash, context, split or "", how, len(ids), digest(ids), repeats(ids)
        )
        origin = _origin(release.git.run("remote", "get-url", "origin").stdout.decode().strip(), repo)
        dataset = _dataset(name, selection, origin, manifest)
    with tempfile.TemporaryDirectory() as folder:
        write_selection(selection, ids, Path(folder))
        client.log_artifacts(run_id, folder, FOLDER)
    client.log_inputs(run_id, [dataset])
    if VERSION not in data.tags and said in {None, selection.tag}:
        client.set_tag(run_id, VERSION, selection.tag)
    artifact = f"{FOLDER}/{selection.name}.json"
    return Logged(run_id, selection.tag, selection.logical_hash, context, len(ids), selection.repeated, artifact)


def _run(client: "MlflowClient | None", run_id: str | None) -> "tuple[MlflowClient, str]":
    try:
        import mlflow
    except ImportError as error:
        raise UsageError("log_dataset", "MLflow is not installed", "pip install mlflow, or mlflow-skinny") from error

    if run_id is None:
        active = mlflow.active_run()
        if active is None:
            raise UsageError("log_dataset", "no MLflow run is active", "call it in: with mlflow.start_run(): …")
        run_id = active.info.run_id
    return client or mlflow.MlflowClient(), run_id


def _dataset(name: str, selection: Selection, origin: str, manifest: Path) -> Any:
    """Return the release as MLflow shows a run's inputs. Both kinds of MLflow have these classes, the small one too."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    described = read_manifest(manifest)
    columns = [{"name": column, "type": kind} for column, kind in described.columns]
    entity = Dataset(
        name=name,
        digest=selection.logical_hash[:DIGEST],
        source_type="data-registry",
        source=json.dumps({"repo": origin, "tag": selection.tag}),
        schema=json.dumps({"mlflow_colspec": columns}, ensure_ascii=False),
        profile=json.dumps({"num_rows": described.rows, "logical_hash": selection.logical_hash}),
    )
    return DatasetInput(entity, [InputTag(CONTEXT, selection.context)])


def _origin(url: str, repo: str | None) -> str:
    """Return the registry's address, without a password."""
    return safe_url(url or repo or os.environ.get("DVC_REPO") or os.environ.get("DVC_REPO_URL") or "")
