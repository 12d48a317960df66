"""Vision-language model: whole folders through DVC's file system, with credentials of its own."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from dvc.api import DVCFileSystem

REPO, VERSION = os.environ["DVC_REPO_URL"], os.environ["DVC_DATA_VERSION"]
TARGET = Path(sys.argv[1])

fs = DVCFileSystem(
    REPO,
    rev=VERSION,
    remote_config={
        "access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
        "secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "endpointurl": os.environ["AWS_ENDPOINT_URL"],
    },
)
metadata = json.loads(fs.read_text("data/roco-radiology/metadata.json"))
seen: dict[str, Any] = {"name": metadata["dataset"]["name"], "prompt": metadata["prompt"], "splits": {}}
for split in ("train", "test"):
    fs.get(f"data/roco-radiology/processed/{split}", str(TARGET / split), recursive=True)
    entries = json.loads((TARGET / split / "annotations.json").read_text())
    images = {path.name for path in (TARGET / split / "images").iterdir()}
    asked = [entry["conversations"][0]["value"] for entry in entries]
    seen["splits"][split] = {
        "samples": len(entries),
        "images": len(images & {entry["image"] for entry in entries}),
        "first": entries[0]["image"],
        "roles": sorted({turn["from"] for entry in entries for turn in entry["conversations"]}),
        "one image each": all(text.count("<image>") == 1 and text.startswith("<image>\n") for text in asked),
    }
print(json.dumps(seen))
