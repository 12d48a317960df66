"""Which registered models used which release, from MLflow."""

import dataclasses
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from data_registry.stage.errors import CorruptFile, SourceRefused, StageError
from data_registry.stage.redaction import safe_url
from data_registry.training.selection import TRAINING
from registry.lineage.runs import Trained, all_models, read_selections
from registry.services.tracking import connected, embedded_file, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Use:
    """A model version that used a release: what for, and how many samples; None if the run did not log that."""

    model: str
    version: str
    context: str
    samples: int | None


@dataclasses.dataclass(frozen=True)
class Uses:
    """The uses of each release by its tag; ``unknown`` is the reason if MLflow was not read."""

    by_tag: dict[str, list[Use]]
    unknown: str = ""


def read_uses(root: Path) -> Uses:
    """Read all models from MLFLOW_TRACKING_URI, or from the SQLite file of ENV=local if it exists."""
    if not os.environ.get("MLFLOW_TRACKING_URI") and not embedded_file(root).is_file():
        return Uses({}, "Models are not shown: MLFLOW_TRACKING_URI is not set, and there is no local MLflow database.")
    uri = tracking_uri(root)
    log.info("catalogue: reading models from MLflow")
    by_tag: dict[str, list[Use]] = {}
    try:
        with connected(uri) as client:
            for model_version in all_models(client):
                for tag, use in _uses(client, model_version) if model_version.runs else ():
                    by_tag.setdefault(tag, []).append(use)
    except StageError as error:
        log.warning("models are left out: %s", error)
        return Uses({}, f"Models are not shown: MLflow could not be read ({safe_url(uri)}).")
    return Uses(by_tag)


def _uses(client: "MlflowClient", model_version: Trained) -> Iterator[tuple[str, Use]]:
    name, version = model_version.model, model_version.version
    logged_tag, _ = model_version.release
    try:
        selections = [selection for selection, _ in read_selections(client, model_version)]
    except (CorruptFile, SourceRefused) as error:
        log.warning("%s/%s: its samples are left out: %s", name, version, error)
        selections = []
    for selection in selections:
        yield selection.tag, Use(name, version, selection.context, selection.samples)
    if logged_tag and logged_tag not in {selection.tag for selection in selections}:
        yield logged_tag, Use(name, version, TRAINING, None)
