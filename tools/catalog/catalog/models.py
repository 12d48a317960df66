"""Which registered models used which release, as MLflow knows."""

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
    """A model version that used a release: what for, and how many of its samples; None where the run does not say."""

    model: str
    version: str
    context: str
    samples: int | None


@dataclasses.dataclass(frozen=True)
class Uses:
    """The uses of each release by its tag; ``unknown`` says why there are none where MLflow was not asked."""

    by_tag: dict[str, list[Use]]
    unknown: str = ""


def read_uses(root: Path) -> Uses:
    """Ask MLflow for all models: the server of MLFLOW_TRACKING_URI, or the records of ENV=local if there are any."""
    if not os.environ.get("MLFLOW_TRACKING_URI") and not embedded_file(root).is_file():
        return Uses({}, "MLflow was not asked: there are no records of it here, and MLFLOW_TRACKING_URI is not set.")
    uri = tracking_uri(root)
    log.info("catalogue: asking MLflow which models used which release")
    found: dict[str, list[Use]] = {}
    try:
        with connected(uri) as client:
            for trained in all_models(client):
                if not trained.runs:
                    continue
                for tag, use in _uses(client, trained):
                    found.setdefault(tag, []).append(use)
    except StageError as error:
        log.warning("models are left out: %s", error)
        return Uses({}, f"MLflow could not be asked ({safe_url(uri)}).")
    return Uses(found)


def _uses(client: "MlflowClient", trained: Trained) -> Iterator[tuple[str, Use]]:
    said, _ = trained.said
    try:
        selections = [selection for selection, _ in read_selections(client, trained)]
    except (CorruptFile, SourceRefused) as error:
        log.warning("%s/%s: which samples it used is left out: %s", trained.model, trained.version, error)
        selections = []
    for each in selections:
        yield each.tag, Use(trained.model, trained.version, each.context, each.samples)
    if said and said not in {each.tag for each in selections}:
        yield said, Use(trained.model, trained.version, TRAINING, None)
