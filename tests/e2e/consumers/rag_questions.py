"""RAG evaluation: the questions as text, with the default remote; the concepts are JSON in a field."""

import csv
import io
import json
import os

import dvc.api

REPO, VERSION = os.environ["DVC_REPO"], os.environ["DVC_DATA_VERSION"]

text = dvc.api.read("data/opencloudhub-readmes-rag-evaluation/questions.csv", repo=REPO, rev=VERSION, mode="r")
rows = list(csv.DictReader(io.StringIO(text)))
concepts = [json.loads(row["key_concepts"]) for row in rows]
print(
    json.dumps(
        {
            "rows": len(rows),
            "columns": list(rows[0]),
            "concepts": all(isinstance(each, list) and each for each in concepts),
            "categories": {
                each: sum(row["category"] == each for row in rows) for each in {r["category"] for r in rows}
            },
        }
    )
)
