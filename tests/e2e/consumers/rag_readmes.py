"""RAG: every README of the folder, its repository told from its name."""

import json
import os
import re
import sys
from pathlib import Path

from dvc.api import DVCFileSystem

fs = DVCFileSystem(os.environ["DVC_REPO_URL"], rev=os.environ["DVC_DATA_VERSION"])
fs.get("data/opencloudhub-readmes/raw", sys.argv[1], recursive=True)
names = sorted(path.name for path in Path(sys.argv[1]).iterdir())
print(
    json.dumps(
        {"files": names, "repositories": [found[1] for name in names if (found := re.match(r"(.+?)_README", name))]}
    )
)
