"""Tabular regression: address from DVC, bytes from S3, everything but the target a feature."""

import json
import os

import dvc.api
import pandas as pd
from storage import filesystem

REPO, VERSION = os.environ["DVC_REPO"], os.environ["DVC_DATA_VERSION"]

url = dvc.api.get_url("data/wine-quality/processed/wine-quality.csv", repo=REPO, rev=VERSION)  # the default remote
metadata = json.loads(dvc.api.read("data/wine-quality/metadata.json", repo=REPO, rev=VERSION))
with filesystem().open(url) as file:
    data = pd.read_csv(file)
features = data.drop(columns="quality")
print(
    json.dumps(
        {
            "name": metadata["dataset"]["name"],
            "rows": len(data),
            "features": list(features),
            "dtypes": sorted(map(str, set(features.dtypes))),
            "red first": bool((data["wine_type"][:1599] == 0).all() and (data["wine_type"][1599:] == 1).all()),
            "quality": {str(mark): int(count) for mark, count in data["quality"].value_counts().sort_index().items()},
        }
    )
)
