"""Text classification: the Parquet files through DVC's own stream; the label numbers follow the sorted classes."""

import json
import os
from typing import Any

import dvc.api
import pandas as pd

REPO, VERSION, REMOTE = os.environ["DVC_REPO"], os.environ["DVC_DATA_VERSION"], os.environ["DVC_REMOTE"]

metadata = json.loads(dvc.api.read("data/emotion/metadata.json", repo=REPO, rev=VERSION))
label2id = {label: place for place, label in enumerate(sorted(metadata["schema"]["features"]["label"]["classes"]))}
seen: dict[str, Any] = {"name": metadata["dataset"]["name"], "label2id": label2id, "splits": {}}
for split in ("train", "val"):
    path = f"data/emotion/processed/{split}/{split}.parquet"
    with dvc.api.open(path, repo=REPO, rev=VERSION, remote=REMOTE, mode="rb") as file:
        data = pd.read_parquet(file)
    labels = [label2id[label] for label in data["label"].tolist()]
    texts = data["text"].tolist()
    seen["splits"][split] = {"rows": len(labels), "labels": len(set(labels)), "all text": all(map(str.strip, texts))}
print(json.dumps(seen))
