"""Every reader of bytes that others wrote, with a valid document for each, and how one is fed to it."""

import dataclasses
import hashlib
import json
import re
import resource
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from chunk_embed.release import Release as ParentOfChunks
from faults.mutation import damaged
from pgloader.receipts import Receipt
from pgloader.searching import read_questions
from registry.argo.report import _failures
from registry.argo.workspace import SHAPE as PLAN
from registry.catalog import facts
from registry.catalog.readme import as_html, front_matter
from registry.datasets import PARAMS
from registry.documents import read_lock, read_metadata, read_stages
from registry.lineage.arrow_types import parse_type
from registry.lineage.drift import drift
from registry.lineage.selection import IDS, Selection, digest, read_selection, write_selection
from registry.lineage.show import Shown, as_text
from registry.lineage.sought import Sought, names_in
from samples import Manifest, ManifestWriter, check_manifest
from stage.errors import StageError, UsageError, VerificationFailed
from stage.foreign import read_json, read_yaml
from stage.params import section
from stage.redaction import one_line, printable, safe_url
from stats.provenance import read_parentage

SECONDS = 10  # that an example may take
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
    **{"table": "t", "load_id": HASH, "rows": 3, "dimension": 384, "checksum": HASH, "indexes": ["i"]},
    **{"source_data_version": "b-v1.0.0", "embedding_model": "m", "revision": "r"},
}
FAILURES = [{"displayName": "fetcher", "templateName": "fetcher", "message": "exit code 12", "phase": "Failed"}]
COLUMNS = [["text", "string"], ["label", "int64"], ["image", "list<item: list<item: uint8>>"]]
MANIFEST = Manifest(Path("m"), 1, COLUMNS, ["text"], {"a.parquet": HASH})


@dataclasses.dataclass(frozen=True)
class Reader:
    """A reader of foreign bytes; ``expected`` is what it may raise."""

    document: Any
    read: Callable[[bytes], object]
    text: bytes = b""
    expected: tuple[type[Exception], ...] = (StageError,)


@cache
def folder() -> Path:
    """Return a folder for what has to be a file."""
    return Path(tempfile.mkdtemp(prefix="foreign-"))


def in_file(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    def from_file(content: bytes) -> object:
        path = folder() / name
        path.write_bytes(content)
        return read(path)

    return from_file


def metadata(content: bytes) -> None:
    """Read metadata.json, and all that the catalogue, show and diff make of it."""
    found = read_metadata(content, "metadata.json", VerificationFailed, "x")
    facts.check(found, "metadata.json")
    as_text(Shown("x", "1.0.0", found, [], []))
    list(drift(METADATA, found))
    json.dumps(found, ensure_ascii=False).encode()


def readme(content: bytes) -> None:
    text = f"---\n{content.decode(errors='replace')}\n---\n# X\n\n{content.decode(errors='replace')}"
    as_html(text[:20_000], "data/x", {"x"}, "https://example.org/x.git")
    front_matter(text)


def sought(content: bytes) -> None:
    names_in(Sought.parse("row:" + content.decode(errors="surrogateescape")), MANIFEST)


def selection(content: bytes) -> None:
    """Read a selection whose name matches whatever its content says."""
    path = folder() / "selection.json"
    path.write_bytes(content)
    try:
        values = json.loads(content)
        name = Selection(**values).name
    except (ValueError, TypeError, AttributeError, RecursionError):
        name = "selection-0123456789ab"
    read_selection(path.rename(folder() / f"{name}.json"))


@cache
def chosen() -> tuple[Selection, bytes]:
    """Return a selection, and the file of its ids."""
    ids = pa.array([bytes([number]) * 16 for number in range(3)], pa.binary(16))
    made = Selection("x-v1.0.0", HASH, "training", "train", IDS, 3, digest(ids))
    write_selection(made, ids, folder())
    return made, (folder() / f"{made.name}.parquet").read_bytes()


def ids_of_selection(content: bytes) -> None:
    """Read the ids of a selection that says what they are."""
    name = chosen()[0].name
    (folder() / f"{name}.parquet").write_bytes(content)
    read_selection(folder() / f"{name}.json")


def footer(content: bytes) -> None:
    """Read a manifest whose description is the document."""
    table = pq.read_table(pa.BufferReader(manifest()))
    path = folder() / "described.parquet"
    pq.write_table(table.replace_schema_metadata({b"data-registry": content}), path)
    for _, kind in check_manifest(path).columns:
        parse_type(kind)


@cache
def manifest() -> bytes:
    path = folder() / "valid.parquet"
    batch = pa.record_batch({"text": ["a", "b", "a"], "label": [1, 2, 3]})
    with ManifestWriter(path, batch.schema, ["text"]) as writer:
        writer.add(batch, split="train", file="processed/train.csv", source="raw.csv")
        writer.finish({"processed/train.csv": HASH})
    return path.read_bytes()


def shown(content: bytes) -> None:
    text = content.decode(errors="replace")
    assert one_line(text).isprintable() and len(one_line(text)) <= 2000
    safe_url(text)
    printable(text)


def lock(content: bytes) -> None:
    read_lock(content, "dvc.lock", VerificationFailed, "x")


READERS = {
    "dvc.lock": Reader(LOCK, lock, yaml.safe_dump(LOCK).encode()),
    "metadata.json": Reader(METADATA, metadata),
    "dvc.yaml": Reader(
        PIPELINE, lambda text: read_stages(text, "dvc.yaml", VerificationFailed, "x"), yaml.safe_dump(PIPELINE).encode()
    ),
    "params.yaml": Reader(
        SETTINGS,
        lambda text: read_yaml(text, "params.yaml", (PARAMS, None), UsageError),
        yaml.safe_dump(SETTINGS).encode(),
    ),
    "section of params.yaml": Reader(SETTINGS, in_file(lambda path: section(path, "dataset"), "params.yaml")),
    "README": Reader(CARD, readme, yaml.safe_dump(CARD).encode()),
    "croissant.json": Reader(CARD, lambda text: read_json(text, "croissant.json", dict)),
    "search input": Reader({"text": "a", "label": 1, "image": [[1]]}, sought),
    "questions": Reader(QUESTIONS, lambda text: read_questions(text.decode(errors="surrogateescape"))),
    "selection": Reader(
        dataclasses.asdict(Selection("x-v1.0.0", HASH, "training", "train", "all", 3, HASH)), selection
    ),
    "ids of a selection": Reader(None, ids_of_selection),
    "manifest": Reader(None, in_file(check_manifest, "m.parquet"), expected=(ValueError,)),
    "footer of a manifest": Reader(
        {"columns": COLUMNS, "key": ["text"], "files": {"a": HASH}}, footer, expected=(ValueError,)
    ),
    "type": Reader(COLUMNS[2][1], lambda text: parse_type(text.decode(errors="replace")), expected=(ValueError,)),
    "receipt": Reader(RECEIPT, in_file(Receipt.read, "receipt.json")),
    "release.json for stats": Reader(
        PARENT,
        in_file(lambda path: read_parentage(path.parent, path.parent / "none.yaml", {}), "release.json"),
        expected=(StageError, FileNotFoundError),
    ),
    "release.json for chunk-embed": Reader(PARENT, in_file(ParentOfChunks.read, "release.json")),
    "plan": Reader(PLANNED, lambda text: read_json(text, "plan.json", PLAN)),
    "failures": Reader(FAILURES, lambda text: _failures(text.decode(errors="replace"))),
    "what is shown": Reader("https://u:p@example.org/x?token=t u:p@host:x.git", shown),
}


def fuzz(name: str, seeds: range) -> tuple[float, int]:
    """Feed damaged documents to a reader; return the seconds of the slowest, and the peak memory in bytes."""
    reader, slowest = READERS[name], 0.0
    text = reader.text or (json.dumps(reader.document).encode() if reader.document is not None else b"")
    binary = text or {"manifest": manifest, "ids of a selection": lambda: chosen()[1]}[name]()
    for seed in seeds:
        content = damaged(reader.document, binary, seed) if text else damaged_bytes(binary, seed)
        started = time.process_time()
        try:
            reader.read(content)
        except reader.expected as error:
            assert re.fullmatch(r"[^\n]{1,5000}", str(error).replace("\n", " ")), f"{name} {seed}: {error}"
        except BaseException as error:
            raise AssertionError(f"{name}, seed {seed}: {error!r} of {content[:300]!r}") from error
        took = time.process_time() - started
        assert took < SECONDS, f"{name}, seed {seed}: {took:.1f} s"
        slowest = max(slowest, took)
    return slowest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def damaged_bytes(content: bytes, seed: int) -> bytes:
    """Return bytes of which a few are others, most often in the last part, where Parquet has its footer."""
    number = int.from_bytes(hashlib.sha256(str(seed).encode()).digest(), "big")
    changed = bytearray(content)
    for _ in range(1 + number % 3):
        number >>= 8
        span = len(changed) if number & 3 == 0 else min(1500, len(changed))
        at = len(changed) - 1 - (number >> 2) % span
        changed[at] = (number >> 40) & 255
        number = int.from_bytes(hashlib.sha256(str(number).encode()).digest(), "big")
    return bytes(changed[: len(changed) - number % 40]) if number & 7 == 0 else bytes(changed)
