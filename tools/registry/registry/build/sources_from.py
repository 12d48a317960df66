"""Where a dataset's raw files come from, as ``FROM=`` names it: pin them in sources.csv."""

import dataclasses
import os
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from data_registry.stage.errors import ChildFailed, UsageError
from data_registry.stage.redaction import safe_url

from registry.build.local_files import store_files
from registry.build.s3_access import s3_variables
from registry.build.scratch import scratch_folder
from registry.build.source_list import SOURCES, Row, read_rows, write_rows

PAGES = "https://huggingface.co/datasets/"
HUB = re.compile(rf"(?:hf:|{PAGES})([\w.-]+/[\w.-]+?)/?(?:@([^:\s]+))?(?::([^:\s]+))?", re.ASCII)
EXPECTED = "write a path, https://..., hf:owner/name[@revision][:config], or s3://bucket/folder/"


@dataclasses.dataclass(frozen=True)
class Origin:
    """What FROM named: the section ``upstream`` of params.yaml (none for local files), the files, and a page about it.

    ``page`` is a public address, or empty.
    """

    upstream: dict[str, Any]
    files: tuple[Row, ...]
    page: str


def sources_from(text: str, folder: Path, root: Path) -> Origin:
    """Pin what ``text`` names in the sources.csv of the dataset in ``folder``.

    ``text`` is a path to a file or folder (relative ones start at ``root``), one or more http(s) URLs,
    ``hf:owner/name[@revision][:config]``, or ``s3://bucket/key`` or ``s3://bucket/folder/``. Local files are copied
    into the dataset's storage, others are read once.

    Raises UsageError for anything else, InputMissing or EmptyInput for files that are not there, and ChildFailed with
    the exit code of ``fetcher resolve``.
    """
    upstream, page = _upstream(text.strip())
    if not upstream:
        rows = store_files(root / Path(text.strip()).expanduser(), folder)
        write_rows(folder / SOURCES, rows)
        return Origin({}, tuple(rows), "")
    with scratch_folder(root, "sources") as scratch:
        (scratch / "params.yaml").write_text(yaml.safe_dump({"upstream": upstream}), encoding="utf-8")
        resolve(scratch, root, folder.name)
        rows = read_rows((scratch / SOURCES).read_bytes())
    write_rows(folder / SOURCES, rows)
    return Origin(upstream, tuple(rows), page)


def resolve(folder: Path, root: Path, name: str) -> str:
    """Run ``fetcher resolve`` on the params.yaml and sources.csv of a folder, and return what it prints.

    Raises ChildFailed.
    """
    command = [str(root / "tools" / "run"), "fetcher", "resolve", "--params", "params.yaml", SOURCES]
    environ = {**os.environ, **s3_variables((folder / "params.yaml").read_text(encoding="utf-8"))}
    done = subprocess.run(command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise ChildFailed(name, "fetcher resolve", done.returncode)
    return done.stdout


def _upstream(text: str) -> tuple[dict[str, Any], str]:
    """Return the section ``upstream`` for an address, and a page about it; nothing for a path."""
    if not text:
        raise UsageError("FROM", "not set", EXPECTED)
    if match := HUB.fullmatch(text):
        dataset, revision, config = match.groups()
        section = {"kind": "huggingface", "dataset": dataset, "revision": revision or "main"}
        return {**section, **({"config": config} if config else {})}, PAGES + dataset
    if text.startswith("hf:"):
        raise UsageError("FROM", f"invalid Hugging Face dataset {text!r:.100}", "write hf:owner/name")
    if text.startswith("s3://") and text.endswith("/"):
        return {"kind": "s3", "prefix": text}, ""
    if "://" not in text:
        return {}, ""
    urls = text.split()
    files: dict[str, list[str]] = {}
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https", "s3"}:
            raise UsageError("FROM", f"unsupported URL {safe_url(url)!r:.100}", EXPECTED)
        name = unquote(parts.path).rpartition("/")[2] or "data"
        if name in files:
            raise UsageError("FROM", f"two files are named {name}", "list them in params.yaml, section upstream")
        files[name] = [url]
    first = urlsplit(urls[0])
    return {"kind": "urls", "files": files}, f"{first.scheme}://{first.netloc}" if first.scheme != "s3" else ""
