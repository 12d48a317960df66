"""Image classification: Ray Data streams the Parquet files of the splits from addresses without a suffix."""

import json
import os
from typing import Any

import dvc.api
import numpy as np
import ray
from storage import filesystem

REPO, VERSION, REMOTE = os.environ["DVC_REPO_URL"], os.environ["DVC_DATA_VERSION"], os.environ["DVC_REMOTE"]

metadata = json.loads(dvc.api.read("data/fashion-mnist/metadata.json", repo=REPO, rev=VERSION))
MEAN, STD = (metadata["metrics"]["train"][f"pixel_{name}"] for name in ("mean", "std"))


def normalised(row: dict[str, Any]) -> dict[str, Any]:
    image = (np.array(row["image"], dtype=np.float32) / 255 - MEAN) / STD
    return {"image": image.reshape(1, 28, 28), "label": np.int64(row["label"])}


ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
seen: dict[str, Any] = {"name": metadata["dataset"]["name"], "mean": MEAN, "std": STD, "splits": {}}
for split in ("train", "val"):
    path = f"data/fashion-mnist/processed/{split}/{split}.parquet"
    url = dvc.api.get_url(path, repo=REPO, rev=VERSION, remote=REMOTE)
    data = ray.data.read_parquet(url, filesystem=filesystem(), file_extensions=None)
    (sample,) = data.limit(1).map(normalised).take(1)
    seen["splits"][split] = {
        "rows": data.count(),
        "columns": data.columns(),
        "shape": list(sample["image"].shape),
        "dtypes": [str(sample["image"].dtype), str(np.asarray(sample["label"]).dtype)],
    }
print(json.dumps(seen))
