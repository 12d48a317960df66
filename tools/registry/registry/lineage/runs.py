"""Read registered models from MLflow: versions, runs, and the data that the runs logged."""

import dataclasses
import functools
import logging
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from data_registry.stage.errors import InputMissing, SourceRefused, UsageError
from data_registry.training.log_dataset import VERSION
from data_registry.training.selection import FOLDER, NAME, Selection, read_selection

from registry.services.tracking import paged

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

MODEL = re.compile(r"(?:models:/)?(?P<name>[^/:@]+)(?:/(?P<version>[0-9]{1,9})|@(?P<alias>[^/:@]+))")
PARENT = "mlflow.parentRunId"
log = logging.getLogger(__name__)
LISTED = 10  # names in a message


@dataclasses.dataclass(frozen=True)
class Trained:
    """A model version and its runs: the one that logged it, then its parents."""

    model: str
    version: str
    runs: "list[Run]"

    @property
    def release(self) -> tuple[str, str]:
        """The release that the nearest run names, and whether in a tag or a param; empty where none does."""
        return self.value_of(VERSION)

    def value_of(self, name: str) -> tuple[str, str]:
        """Return a tag or param of the nearest run that has it, and which of the two; empty where none has."""
        for run in self.runs:
            for kind, values in (("tag", run.data.tags), ("param", run.data.params)):
                if values.get(name):
                    return str(values[name]), kind
        return "", ""


def find_model(client: "MlflowClient", text: str) -> Trained:
    """Return a registered model's version by ``name/version`` or ``name@alias``.

    Raises UsageError for any other text, InputMissing for an unknown model or version.
    """
    match = MODEL.fullmatch(text)
    if not match:
        raise UsageError("MODEL", f"invalid model {text!r:.80}", "use name/version or name@alias, as wine-regressor/3")
    name, number, alias = match["name"], match["version"], match["alias"]
    version = _looked_up(lambda: client.get_model_version(name, number)) if number else None
    if alias:
        version = _looked_up(lambda: client.get_model_version_by_alias(name, alias))
    if version is None:
        model = _looked_up(lambda: client.get_registered_model(name))
        if model is None:
            known = sorted(model.name for model in client.search_registered_models())
            raise InputMissing(f"models:/{name}", "model not found in MLflow", _one_of("models", known))
        numbers = [other.version for other in paged(client.search_model_versions) if other.name == name]
        known = sorted(map(str, numbers), key=int) + [f"@{other}" for other in sorted(model.aliases)]
        raise InputMissing(f"models:/{name}", f"version {number or '@' + alias} not found", _one_of("versions", known))
    return _trained(client, version)


def all_models(client: "MlflowClient") -> Iterator[Trained]:
    """Yield every version of every registered model."""
    versions = paged(client.search_model_versions)
    for version in sorted(versions, key=lambda version: (version.name, int(version.version))):
        yield _trained(client, version)


def read_selections(client: "MlflowClient", trained: Trained) -> list[tuple[Selection, pa.Array | None]]:
    """Return the selections that the runs of a model logged, with the sample ids, None for all.

    Raises CorruptFile for a file that has changed since, SourceRefused where the artifact store cannot be read.
    """
    selections = {}
    for run in trained.runs:
        try:
            names = {PurePosixPath(file.path) for file in client.list_artifacts(run.info.run_id, FOLDER)}
            files = sorted(str(path) for path in names if NAME.fullmatch(path.stem) and str(path.parent) == FOLDER)
            with tempfile.TemporaryDirectory() as folder:
                paths = [Path(client.download_artifacts(run.info.run_id, file, folder)) for file in files]
                selections.update({path.stem: read_selection(path) for path in paths if path.suffix == ".json"})
        except ImportError as error:
            fix = "pip install it, or let MLflow serve the artifacts (mlflow server --serve-artifacts)"
            raise SourceRefused(run.info.artifact_uri, f"{error.name} is not installed", fix) from error
    return list(selections.values())


def _trained(client: "MlflowClient", version: "ModelVersion") -> Trained:
    run_id = version.run_id
    model_id = getattr(version, "model_id", None)
    if not run_id and model_id:
        run_id = client.get_logged_model(model_id).source_run_id
    runs: list[Run] = []
    while run_id and (run := _looked_up(functools.partial(client.get_run, run_id))):
        runs.append(run)
        run_id = run.data.tags.get(PARENT)
        if any(run_id == other.info.run_id for other in runs):
            log.warning("run %s is its own parent (%s); reading each run once", run_id, PARENT)
            break
    return Trained(version.name, str(version.version), runs)


def _looked_up(request: Callable[[], Any]) -> Any:
    """Return the answer to a request to MLflow, or None where it has no such thing."""
    from mlflow.exceptions import MlflowException  # lazy: takes half a second

    try:
        return request()
    except MlflowException as error:
        if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise
        return None


def _one_of(what: str, known: list[str]) -> str:
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return f"use one of the {what}: {', '.join(known[:LISTED])}{more}" if known else f"there are no {what} yet"
