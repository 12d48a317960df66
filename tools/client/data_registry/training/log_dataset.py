"""Log to the MLflow run that trains a model which samples of which release it uses."""

import dataclasses
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_registry.releases.lookup import VARIABLES, open_release
from data_registry.releases.versions import TAG
from data_registry.stage.errors import UsageError
from data_registry.stage.redaction import safe_url
from data_registry.store.manifests import fetch_manifest

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from data_registry.training.selection import Selection

VERSION = "dvc_data_version"  # the tag of a run, or as some consumers have it the param, that names a release
CONTEXT = "mlflow.data.context"
DIGEST = 16  # digits of the logical hash; MLflow takes 36 at most


@dataclasses.dataclass(frozen=True)
class Logged:
    """What was logged, and to which run."""

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
    context: str = "training",
    client: "MlflowClient | None" = None,
    run_id: str | None = None,
    repo: str | os.PathLike[str] | None = None,
    remote: str | None = None,
) -> Logged:
    """Log to an MLflow run that it uses samples of a release: these rows or ids, or all.

    Args:
        name: the dataset, as ``emotion``.
        version: ``1.1.0``, or the whole tag ``emotion-v1.1.0`` as in ``DVC_DATA_VERSION``.
        split: as ``train``; default: all of the release.
        rows: row numbers of the split counted from 0, or a mask over its rows: a list, an array, a range, or the index
            of a frame, as ``rows=train.index``. A mask that is a pandas Series counts by its index, which must be that
            of the split; any other Series is refused, as its values may be row numbers or labels.
        sample_ids: ids as ``samples.parquet`` has them, 16 bytes or 32 hex digits each, instead of ``rows``.
        context: ``training``, ``validation``, ``test`` or ``evaluation``.
        client: the client of MLflow to log with.
        run_id: the run; default: the active one.
        repo: as for ``load``.
        remote: as for ``load``.

    Returns:
        The run, the release's tag and logical hash, the number of samples, and the artifact with their ids.

    Raises:
        UsageError: MLflow is not installed, no run is active, the run has logged another version of the dataset,
            ``rows`` could mean two things, or the release does not have the samples.

    Example:
        >>> with mlflow.start_run():
        ...     log_dataset("emotion", "1.1.0", split="train", rows=[0, 1, 2]).samples
        3

    """
    from data_registry.samples import read_manifest  # here, as pyarrow is slow to load
    from data_registry.training import selection as selections

    if context not in selections.CONTEXTS:
        fix = f"use one of: {', '.join(selections.CONTEXTS)}"
        raise UsageError("context", f"unknown context {context!r:.60}", fix)
    client, run_id = _run(client, run_id)
    with open_release(name, version, repo) as release:
        data = client.get_run(run_id).data
        logged = data.tags.get(VERSION) or data.params.get(VERSION)
        other = TAG.fullmatch(logged or "")
        if logged != release.tag and other and other["name"] == name:
            fix = "train on one version in a run, or start another run"
            raise UsageError(f"run {run_id}", f"has logged {logged} already, got {release.tag}", fix)
        manifest = fetch_manifest(release, remote or os.environ.get("DVC_REMOTE", ""))
        how, ids = selections.choose(manifest, split, rows, sample_ids)
        hashes = selections.digest(ids), selections.repeats(ids)
        selection = selections.Selection(
            release.tag, release.logical_hash, context, split or "", how, len(ids), *hashes
        )
        origin = _origin(release.git.run("remote", "get-url", "origin").stdout.decode().strip(), repo)
        described = read_manifest(manifest)
        dataset = _dataset(name, selection, origin, described.columns, described.rows)
    with tempfile.TemporaryDirectory() as folder:
        selections.write_selection(selection, ids, Path(folder))
        client.log_artifacts(run_id, folder, selections.FOLDER)
    client.log_inputs(run_id, [dataset])
    if VERSION not in data.tags and logged in {None, selection.tag}:
        client.set_tag(run_id, VERSION, selection.tag)
    artifact = f"{selections.FOLDER}/{selection.name}.json"
    return Logged(run_id, selection.tag, selection.logical_hash, context, len(ids), selection.repeated, artifact)


def _run(client: "MlflowClient | None", run_id: str | None) -> "tuple[MlflowClient, str]":
    try:
        import mlflow
    except ImportError as error:
        raise UsageError("mlflow", f"cannot be imported: {error}", "pip install mlflow, or mlflow-skinny") from error

    if run_id is None:
        active = mlflow.active_run()
        if active is None:
            raise UsageError("log_dataset", "no MLflow run is active", "call it in: with mlflow.start_run(): …")
        run_id = active.info.run_id
    return client or mlflow.MlflowClient(), run_id


def _dataset(name: str, selection: "Selection", origin: str, columns: list[list[str]], rows: int) -> Any:
    """Return the release as MLflow shows a run's inputs. Both kinds of MLflow have these classes, the small one too."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    entity = Dataset(
        name=name,
        digest=selection.logical_hash[:DIGEST],
        source_type="data-registry",
        source=json.dumps({"repo": origin, "tag": selection.tag}),
        schema=json.dumps(
            {"mlflow_colspec": [{"name": column, "type": kind} for column, kind in columns]}, ensure_ascii=False
        ),
        profile=json.dumps({"num_rows": rows, "logical_hash": selection.logical_hash}),
    )
    return DatasetInput(entity, [InputTag(CONTEXT, selection.context)])


def _origin(url: str, repo: str | os.PathLike[str] | None) -> str:
    """Return the registry's address, without a password."""
    named = [os.fspath(repo or ""), *(os.environ.get(variable, "") for variable in VARIABLES)]
    return safe_url(url or next(filter(None, named), ""))
