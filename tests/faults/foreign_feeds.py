"""How damaged bytes are fed to a reader, where it does not take them as they are."""

import base64
import hashlib
import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from catalog import facts
from catalog.readme import as_html, front_matter
from data_registry.documents import read_lock, read_metadata
from data_registry.git import Git
from data_registry.releases.release import Output
from data_registry.samples import Manifest, ManifestWriter, check_manifest, parse_type
from data_registry.stage.errors import VerificationFailed
from data_registry.stage.redaction import one_line, printable, safe_url
from data_registry.store.folder import FolderStore
from data_registry.store.objects import read_list
from data_registry.store.protocol import object_path
from data_registry.store.remote import open_store
from data_registry.training.sample_files import read_table
from data_registry.training.selection import IDS, Selection, digest, read_selection, write_selection
from faults.foreign_documents import COLUMNS, HASH, METADATA, TYPE
from registry.compare.drift import drift
from registry.lineage.query import Query, names_in
from registry.lineage.show import Description, as_text

MANIFEST = Manifest(Path("m"), 1, COLUMNS, ["text"], {"a.parquet": HASH})


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
    as_text(Description("x", "1.0.0", found, [], []))
    list(drift(METADATA, found))
    json.dumps(found, ensure_ascii=False).encode()


def readme(content: bytes) -> None:
    text = f"---\n{content.decode(errors='replace')}\n---\n# X\n\n{content.decode(errors='replace')}"
    as_html(text[:20_000], "data/x", {"x"}, "https://example.org/x.git")
    front_matter(text)


def sought(content: bytes) -> None:
    names_in(Query.parse("row:" + content.decode(errors="surrogateescape")), MANIFEST, {})


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
    _ = check_manifest(path).schema


def schema_in_footer(content: bytes) -> None:
    """Read a manifest whose serialized schema is the document."""
    columns = [[field.name, str(field.type)] for field in pa.ipc.read_schema(pa.py_buffer(serialized()))]
    described = {"columns": columns, "key": ["0"], "files": {}, "schema": base64.b64encode(content).decode()}
    footer(json.dumps(described).encode())


def serialized() -> bytes:
    """Return an Arrow schema as the footers of manifests have it."""
    kinds = [parse_type(TYPE), pa.timestamp("ns", "UTC"), pa.dictionary(pa.int8(), pa.string())]
    fields = [pa.field(str(number), kind) for number, kind in enumerate(kinds)]
    return bytes(pa.schema(fields, {"huggingface": "{}"}).serialize())


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


def list_of_folder(content: bytes) -> None:
    """Read the list of a folder from a store that has it under its right name."""
    md5 = f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}.dir"
    path = folder() / "store" / object_path(md5)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    try:
        for item in read_list(FolderStore("local", folder() / "store"), Output("raw", md5, 9, False, 2)):
            assert item.path.startswith("raw/")
    finally:
        path.unlink()


def config(content: bytes) -> None:
    """Open the default remote of a clone with this configuration."""
    path = folder() / "clone" / ".dvc" / "config"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    open_store(Git(path.parents[1]), "HEAD")


def annotations(content: bytes) -> None:
    """Read the samples of a released annotations.json, whose images are there."""
    path = folder() / "annotations.json"
    path.write_bytes(content)
    turns = parse_type("list<struct<from: string, value: string>>")
    schema = pa.schema([("image", pa.binary()), ("conversations", turns)])
    read_table(["train/annotations.json"], {"train/annotations.json": path, "train/images/1.jpg": path}, schema)
