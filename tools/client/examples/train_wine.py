"""Train a model on a release so that ``make explain`` can tell which samples it has seen.

It needs data-registry-client[mlflow] (tools/client), and the addresses DVC_REPO and MLFLOW_TRACKING_URI.
"""

import json
import os

import mlflow
import numpy as np
from data_registry import load, log_dataset
from mlflow import MlflowClient

VERSION, MODEL = os.environ.get("DVC_DATA_VERSION", "1.0.0"), "wine-regressor"

wines = load("wine-quality", VERSION).to_arrow()
features = np.column_stack([wines[name] for name in wines.column_names if name != "quality"])
features = np.column_stack([features, np.ones(len(features))])
quality = wines["quality"].to_numpy()
shuffled = np.random.default_rng(42).permutation(len(quality))
train, test = np.split(shuffled, [len(shuffled) * 8 // 10])

mlflow.set_experiment("wine-quality")
with mlflow.start_run() as run:
    log_dataset("wine-quality", VERSION, rows=train)
    log_dataset("wine-quality", VERSION, rows=test, context="evaluation")

    weights, *_ = np.linalg.lstsq(features[train], quality[train])
    error = float(np.abs(features[test] @ weights - quality[test]).mean())
    mlflow.log_metric("mean_absolute_error", error)
    mlflow.log_dict({"weights": weights.tolist()}, "model/weights.json")

client = MlflowClient()
if not client.search_registered_models(f"name = '{MODEL}'"):
    client.create_registered_model(MODEL)
made = client.create_model_version(MODEL, f"{run.info.artifact_uri}/model", run.info.run_id)
print(json.dumps({"model": f"{MODEL}/{made.version}", "rows": len(train), "mean_absolute_error": round(error, 2)}))
