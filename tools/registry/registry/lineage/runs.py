"""What MLflow knows of a registered model: its versions, the run that made one, and what that run says of its data."""

import dataclasses
import logging
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from data_registry.stage.errors import InputMissing, SourceRefused, UsageError
from data_registry.training.log_dataset import VERSION
from data_registry.training.selection import FOLDER, NAME, Selection, read_selection

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

MODEL = re.compile(r"(?:models:/)?(?P<name>[^/:@]+)(?:/(?P<version>[0-9]{1,9})|@(?P<alias>[^/:@]+))")
PARENT = "mlflow.parentRunId"
log = logging.getLogger(__name__)
SHOWN = 10  # names in a message


@dataclasses.dataclass(frozen=True)
class Trained:
    """A model version and its runs: that which made it, then those it is nested in."""

    model: str
    version: str
    runs: "list[Run]"

    @property
    def said(self) -> tuple[str, str]:
        """What it says of its data, and where: the nearest run that has the tag or param; empty where none has."""
        for run in self.runs:
            for place, values in (("tag", run.data.tags), ("param", run.data.params)):
                if values.get(VERSION):
                    return str(values[VERSION]), place
        return "", ""

    def noted(self, name: str) -> str:
        """Return a tag or param of its runs."""
        found = (values.get(name) for run in self.runs for values in (run.data.tags, run.data.params))
        return str(next(filter(None, found), ""))


def find_model(client: "MlflowClient", text: str) -> Trained:
    """Return a registered model's version by ``name/version`` or ``name@alias``.

    Raises UsageError for another text, InputMissing where MLflow has no such model or version.
    """
    found = MODEL.fullmatch(text)
    if not found:
        raise UsageError(
            "MODEL", f"{text!r:.80} is no model version", "write wine-regressor/3, or wine-regressor@alias"
        )
    name, number, alias = found["name"], found["version"], found["alias"]
    version = _looked_up(lambda: client.get_model_version(name, number)) if number else None
    if alias:
        version = _looked_up(lambda: client.get_model_version_by_alias(name, alias))
    if version is None:
        model = _looked_up(lambda: client.get_registered_model(name))
        if model is None:
            known = sorted(each.name for each in client.search_registered_models())
            raise InputMissing(f"models:/{name}", "MLflow has no such model", _one_of("models", known))
        numbers = [each.version for each in _versions(client) if each.name == name]
        known = sorted(map(str, numbers), key=int) + [f"@{each}" for each in sorted(model.aliases)]
        raise InputMissing(f"models:/{name}", f"has no {number or '@' + alias}", _one_of("versions", known))
    return _trained(client, version)


def all_models(client: "MlflowClient") -> Iterator[Trained]:
    """Yield every version of every registered model."""
    for version in sorted(_versions(client), key=lambda each: (each.name, int(each.version))):
        yield _trained(client, version)


def read_selections(client: "MlflowClient", trained: Trained) -> list[tuple[Selection, pa.Array | None]]:
    """Return what the runs of a model have logged of the samples they used, with their ids, None for all.

    Raises CorruptFile where a file is not what was logged, SourceRefused where MLflow's store cannot be read from here.
    """
    found = {}
    for run in trained.runs:
        try:
            names = {PurePosixPath(each.path) for each in client.list_artifacts(run.info.run_id, FOLDER)}
            files = sorted(str(each) for each in names if NAME.fullmatch(each.stem) and str(each.parent) == FOLDER)
            with tempfile.TemporaryDirectory() as folder:
                paths = [Path(client.download_artifacts(run.info.run_id, file, folder)) for file in files]
                found.update({path.stem: read_selection(path) for path in paths if path.suffix == ".json"})
        except ImportError as error:
            fix = f"run this where its client is installed ({error.name}), or let MLflow serve artifacts itself"
            raise SourceRefused(run.info.artifact_uri, "this kind of store needs a client of its own", fix) from error
    return list(found.values())


def _trained(client: "MlflowClient", version: "ModelVersion") -> Trained:
    run_id = version.run_id
    model_id = getattr(version, "model_id", None)
    if not run_id and model_id:
        run_id = client.get_logged_model(model_id).source_run_id
    runs: list[Run] = []
    while run_id and (run := _looked_up(lambda wanted=run_id: client.get_run(wanted))):
        runs.append(run)
        run_id = run.data.tags.get(PARENT)
        if any(run_id == each.info.run_id for each in runs):
            log.warning("run %s: %s makes it its own parent; each run is read once", run_id, PARENT)
            break
    return Trained(version.name, str(version.version), runs)


def _versions(client: "MlflowClient") -> "Iterator[ModelVersion]":
    token = None
    while True:
        page = client.search_model_versions(page_token=token)
        yield from page
        if not (token := page.token):
            return


def _looked_up(ask: Any) -> Any:
    """Return what MLflow has, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise
        return None


def _one_of(what: str, known: list[str]) -> str:
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"use one of the {what}: {', '.join(known[:SHOWN])}{more}" if known else f"there are no {what} there yet"
