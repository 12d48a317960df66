"""A valid document of each kind that others write."""

HASH = "ab" * 32
METADATA = {
    "dataset": {"name": "x", "title": "X", "description": "d", "source": "s", "licence": "MIT", "citation": "c"},
    "prompt": {"prompt_name": "p", "prompt_version": 3, "prompt_text": "t", "prompt_uri": "prompts:/p/3"},
    "schema": {
        "features": {"a": {"dtype": "string", "description": "a"}, "l": {"dtype": "int64", "classes": ["no", "yes"]}},
        "target": {"name": "t", "dtype": "int64", "shape": [28, 28], "classes": {"0": "no"}},
    },
    "splits": {"train": {"num_samples": 2, "class_distribution": {"0": 2}}, "val": {"num_samples": 1}},
    "summary": {"num_samples": 3, "num_features": 2, "t_distribution": {"0": 3}},
    "statistics": {"features": {"a": {"mean": 0.5, "std": None}}, "target": {"mean": 1}, "total_files": 2},
    "metrics": {"train": {"mean": 0.5}, "val": {"mean": 0.25}},
    "checks": {
        "duplicates": {"samples": 2, "groups": 1, "ids": [HASH[:32]]},
        "conflicts": {"samples": 0, "groups": 0},
        "split_leaks": {"val in train": {"samples": 1, "ids": [HASH[:32]]}},
        "missing": {"a": 1},
        "warnings": ["w"],
    },
    "files": {"processed/train/train.parquet": {"sha256": HASH, "bytes": 9}},
    "evaluation": {"questions": {"number": 3}, "hybrid": {"by_source": {"mrr": 0.5}}},
    "provenance": {
        "sample": False,
        "sources": [{"name": "a", "sha256": HASH, "bytes": 7, "urls": ["https://example.org/a"]}],
        "source_list": {"files": 1, "bytes": 7},
        "parents": [{"dataset": "b", "version": "b-v1.0.0"}],
        "tools": {"stats": "stats:src-0"},
        "params": {"fetcher": {"jobs": 8}},
    },
    "logical_hash": HASH,
}
OUT = {"path": "raw", "hash": "md5", "md5": HASH[:32] + ".dir", "size": 3, "nfiles": 1}
LOCK = {"schema": "2.0", "stages": {"fetcher": {"cmd": "x", "deps": [{"path": "a"}], "outs": [OUT]}, "stats": {}}}
PIPELINE = {
    "vars": ["../images.yaml"],
    "stages": {"fetcher": {"cmd": "x", "params": ["a", {"b": ["c"]}], "outs": ["raw"]}},
}
SETTINGS = {"dataset": {"name": "x", "columns": [{"name": "a", "type": "string"}]}, "registry": {"version": "b-v1.0.0"}}
CARD = {"license": "mit", "task_categories": ["text-classification"], "configs": [{"data_files": [{"split": "train"}]}]}
QUESTIONS = [{"query": "q", "embedding": [0.5, 1], "embedding_model": "m"}]
PARENT = {"dataset": "b", "version": "b-v1.0.0", "logical_hash": HASH, "sample": False}
PLANNED = {
    "dataset": "x",
    "base": "c",
    "params_sha256": HASH,
    "outputs": {"a": ["raw"]},
    "in_git": [],
    "run": [],
    "publish": True,
}
RECEIPT = {
    **{
        "relation": "public.t",
        "table": "t",
        "load_id": HASH,
        "rows": 3,
        "dimension": 384,
        "checksum": HASH,
        "indexes": ["i"],
    },
    **{"source_data_version": "b-v1.0.0", "embedding_model": "m", "revision": "r"},
}
SELECTION = {
    **{"tag": "x-v1.0.0", "logical_hash": HASH, "context": "training", "split": "train"},
    **{"how": "all", "samples": 3, "sha256": HASH},
}
FAILURES = [{"displayName": "fetcher", "templateName": "fetcher", "message": "exit code 12", "phase": "Failed"}]
TYPE = 'list<struct<role: string, "a, b": decimal(10, 2), at: timestamp[us, UTC], scan: image, ids: list<int8>>>'
COLUMNS = [["text", "string"], ["label", "int64"], ["image", "list<item: list<item: uint8>>"]]
LISTED = [{"md5": HASH[:32], "relpath": "a.csv"}, {"md5": HASH[:32], "relpath": "sub/b \u00e9.csv"}]
CONFIG = {
    "core": {"remote": "local"},
    "cache": {"type": "symlink", "dir": "cache"},
    "'remote \"local\"'": {"url": "../store"},
    "'remote \"far\"'": {
        "url": "s3://bucket/x",
        "endpointurl": "https://example.org",
        "region": "eu",
        "use_ssl": "true",
    },
}
TAG = f"""object {"0" * 40}
type commit
tag x-v1.0.0
tagger t <t@t> 1700000000 +0000

x 1.0.0

logical-hash: {HASH}
metadata-sha256: {HASH}
"""
COMMIT = "0" * 39 + "1"
HUB_INFO = {"_id": "6", "id": "them/flowers", "sha": COMMIT, "private": False, "siblings": []}
HUB_TREE = [
    {"type": "directory", "oid": "d" * 40, "size": 0, "path": "data"},
    *(
        {"type": "file", "oid": "a" * 40, "size": 9, "path": name, "lfs": {"oid": HASH, "size": 9, "pointerSize": 134}}
        for name in ("data/a.csv", "data/b.parquet")
    ),
]
REPOSITORIES = [
    {
        **{"id": 7, "name": name, "full_name": f"clouds/{name}", "default_branch": "main"},
        **{"archived": False, "fork": False, "private": False},
    }
    for name in ("rain", "snow")
]
HEAD = {"sha": COMMIT, "node_id": "C_", "files": []}
RAW = b"http://raw.invalid"  # stands for the server's address
README = {
    **{"name": "README.md", "path": "docs/README.md", "sha": "b" * 40, "type": "file"},
    **{"size": 0, "download_url": f"{RAW.decode()}/clouds/rain/main/README.md"},
}
ENTRIES = [
    {
        "image": "1.jpg",
        "conversations": [{"from": "human", "value": "<image>\nq"}, {"from": "gpt", "value": "a black cat"}],
    }
]
PROCESSED = {"prompt": {"prompt_name": "p", "prompt_version": 3, "prompt_text": "q"}, "images": 1}
