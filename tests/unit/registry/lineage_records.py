"""MLflow's records in a real SQLite file, and models registered in them as consumers do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_registry import log_dataset
from mlflow import MlflowClient
from registry.services.tracking import connected


@contextmanager
def records(folder: Path, empty: bytes) -> Iterator[MlflowClient]:
    """Yield a client of new records, whose artifacts lie in the folder too."""
    (folder / "mlflow.db").write_bytes(empty)
    with connected(f"sqlite:///{folder / 'mlflow.db'}") as client:
        client.create_experiment("training", artifact_location=(folder / "artifacts").as_uri())
        yield client


def train(
    client: MlflowClient,
    model: str,
    *logged: dict[str, Any],
    tags: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
) -> str:
    """Register a model from a run that has called log_dataset so, and return its version."""
    experiment: Any = client.get_experiment_by_name("training")
    run = client.create_run(experiment.experiment_id, tags=tags)
    for name, value in (params or {}).items():
        client.log_param(run.info.run_id, name, value)
    for arguments in logged:
        log_dataset(**arguments, client=client, run_id=run.info.run_id)
    if not [each for each in client.search_registered_models() if each.name == model]:
        client.create_registered_model(model)
    made = client.create_model_version(model, f"{run.info.artifact_uri}/model", run.info.run_id)
    return str(made.version)
