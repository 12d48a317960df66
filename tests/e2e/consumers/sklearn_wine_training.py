"""Tabular regression, trained: read, split and registered as ever; what is new is log_dataset."""

import json
import os
import tempfile
from pathlib import Path

import dvc.api
import joblib
import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from registry import log_dataset
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split
from storage import filesystem

REPO, VERSION, MODEL = os.environ["DVC_REPO"], os.environ["DVC_DATA_VERSION"], "wine-regressor"

url = dvc.api.get_url("data/wine-quality/processed/wine-quality.csv", repo=REPO, rev=VERSION)
with filesystem().open(url) as file:
    data = pd.read_csv(file)
train, test = train_test_split(data, train_size=0.8, shuffle=True, random_state=42)

mlflow.set_experiment("wine-quality")
with mlflow.start_run() as run:
    mlflow.log_param("dvc_data_version", VERSION)
    mlflow.set_tag("docker_image_tag", "trainer:1")
    log_dataset("wine-quality", VERSION, rows=train.index)
    fitted = LinearRegression().fit(train.drop(columns="quality"), train["quality"])
    error = np.abs(fitted.predict(test.drop(columns="quality")) - test["quality"]).mean()
    mlflow.log_metric("mae", float(error))
    with tempfile.TemporaryDirectory() as folder:
        joblib.dump(fitted, Path(folder) / "model.joblib")
        mlflow.log_artifacts(folder, "model")
    client = MlflowClient()
    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL)
    made = client.create_model_version(MODEL, f"{run.info.artifact_uri}/model", run.info.run_id)
print(json.dumps({"model": f"{MODEL}/{made.version}", "rows": train.index.tolist(), "mae": float(error)}))
