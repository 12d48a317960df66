"""What params.yaml names stays in raw/: another path is refused (14), whatever lies there."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from unit.parquetizer.folders import PARAMS, run, write, write_params
from unit.parquetizer.tables import run_table

SECRET = "a,b\nx,1\n"
TABLE: list[dict[str, Any]] = [{"name": "a", "type": "string"}, {"name": "b", "type": "int64"}]
TEXTS: list[dict[str, Any]] = [{"name": "a", "type": "string"}, {"name": "b", "type": "string", "classes": ["1"]}]
PIXELS: list[dict[str, Any]] = [
    {"name": "i", "type": "uint8", "shape": [1]},
    {"name": "l", "type": "uint8", "classes": ["x"]},
]
PROMPT = {"name": "p", "version": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
OUTSIDE = [
    "../secret.csv",
    "/etc/hostname",
    "a/../../secret.csv",
    "..",
    "",
    "new\nline.csv",
    "link.csv",
    "folder/secret.csv",
]


def settings(kind: str, name: str) -> str:
    """Write params.yaml that names a file; return the command that reads it."""
    if kind == "table":
        write_params(TABLE, inputs=[{"file": name}])
    elif kind == "text":
        write_params(TEXTS, format="csv", text="a", label="b", inputs=[{"file": name, "split": "train"}])
    elif kind in {"images", "labels"}:
        files = {"images": "i", "labels": "l", kind: name}
        write_params(PIXELS, inputs=[{**files, "split": "train"}])
    else:
        write_params([], **{"prompt": PROMPT, "splits": {"train": 1.0}, kind.partition(" ")[2]: name})
    return {"images": "idx", "labels": "idx"}.get(kind, kind.partition(" ")[0])


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize(
    "kind", ["table", "text", "images", "labels", "conversations images", "conversations captions"]
)
def test_a_path_out_of_raw_is_refused(kind, name):
    write(
        {"secret.csv": SECRET, "elsewhere/secret.csv": SECRET, "raw/i": "", "raw/images/a.jpg": "", "prompt.txt": "x"}
    )
    Path("raw/link.csv").symlink_to("../secret.csv")
    Path("raw/folder").symlink_to("../elsewhere")
    command = settings(kind, name)
    options = ["--prompt", "prompt.txt"] if command == "conversations" else []
    outcome = run_table(PARAMS) if command == "table" else run(command, *options)
    assert outcome.code == 14, outcome
    assert "outside raw" in outcome.error or "is not inside raw" in outcome.error


def test_a_link_of_dvc_into_its_cache_is_read():
    """As cache.type = symlink leaves it."""
    cached = Path("cache/files/md5/01/23456789abcdef0123456789abcdef")
    write({str(cached): "a,b\nx,1\n"})
    Path("raw").mkdir()
    Path("raw/a.csv").symlink_to(cached.absolute())
    settings("table", "a.csv")
    assert run_table(PARAMS).text == "a,b\nx,1\n"
