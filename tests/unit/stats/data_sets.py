"""Small processed folders of every kind, laid down as the parquetizer leaves them, and the tool run on them."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from click.testing import CliRunner, Result
from PIL import Image
from samples import ManifestWriter
from stats.cli import cli
from unit.stats.tables import SOURCES, strictly

SAMPLES = Path("samples.parquet")
METADATA = Path("metadata.json")
FOLDERS = {"images": "processed", "text": "processed", "conversations": "processed", "documents": "raw"}

CLASSES = ["bag", "coat", "shoe"]
IMAGE = pa.schema([("image", pa.list_(pa.list_(pa.uint8()))), ("label", pa.uint8())])
IMAGE_COLUMNS: list[dict[str, Any]] = [
    {"name": "image", "type": "uint8", "shape": [2, 3], "description": "grey values"},
    {"name": "label", "type": "uint8", "description": "what it shows", "classes": CLASSES},
]
TEXT = pa.schema([("text", pa.string()), ("label", pa.string())])
TEXT_COLUMNS: list[dict[str, Any]] = [
    {"name": "text", "type": "string", "description": "the tweet"},
    {"name": "label", "type": "string", "description": "what it says", "classes": ["sad", "glad"]},
]
CONVERSATION = pa.schema(
    [("image", pa.binary()), ("conversations", pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())])))]
)
DOCUMENT = pa.schema([("name", pa.string()), ("text", pa.string())])
PROMPT: dict[str, Any] = {
    "prompt_name": "radiology",
    "prompt_version": 3,
    "prompt_uri": "prompts:/radiology/3",
    "prompt_text": "Beschreibe\ndas Röntgenbild.",
}

Row = tuple[Any, ...]


def lay_images(parts: Mapping[str, Sequence[Row]] | Sequence[tuple[str, Sequence[Row]]], **options: Any) -> None:
    """Lay pairs of image (two rows of three pixels) and label; of each split, or of pieces of splits in turn."""
    _lay(IMAGE, parts, **{"columns": IMAGE_COLUMNS, "key": ["image"], **options})


def lay_text(parts: Mapping[str, Sequence[Row]] | Sequence[tuple[str, Sequence[Row]]], **options: Any) -> None:
    """Lay pairs of text and label."""
    _lay(TEXT, parts, **{"columns": TEXT_COLUMNS, "key": ["text"], **options})


def _lay(
    schema: pa.Schema,
    parts: Mapping[str, Sequence[Row]] | Sequence[tuple[str, Sequence[Row]]],
    *,
    columns: Sequence[dict[str, Any]],
    key: Sequence[str],
    rows_of_group: int = 100,
    **dataset: Any,
) -> None:
    given = parts.items() if isinstance(parts, Mapping) else parts
    pieces = [(split, table_of(schema, rows)) for split, rows in given]
    for split in dict.fromkeys(split for split, _ in pieces):
        path = parquet(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = pa.concat_tables([table for name, table in pieces if name == split])
        pq.write_table(whole, path, compression="zstd", write_page_checksum=True, row_group_size=rows_of_group)
    sign(schema, [(split, parquet(split).as_posix(), table) for split, table in pieces], key)
    describe(columns=list(columns), **dataset)


def lay_conversations(
    parts: Mapping[str, Sequence[tuple[bytes, str]]], prompt: dict[str, Any] | None = None, **dataset: Any
) -> None:
    """Lay pairs of image and caption, numbered through all splits."""
    prompt, number, signed = prompt or PROMPT, 0, []
    for split, pairs in parts.items():
        entries = []
        images = Path("processed", split, "images")
        images.mkdir(parents=True, exist_ok=True)
        for image, caption in pairs:
            name = f"{split}_{number:06d}.jpg"
            (images / name).write_bytes(image)
            turns = [
                {"from": "human", "value": f"<image>\n{prompt['prompt_text']}"},
                {"from": "gpt", "value": caption},
            ]
            entries.append({"image": name, "conversations": turns})
            number += 1
        annotations(split).write_text(json.dumps(entries, indent=2))
        rows = [(image, entry["conversations"]) for (image, _), entry in zip(pairs, entries, strict=True)]
        signed.append((split, annotations(split).as_posix(), table_of(CONVERSATION, rows)))
    Path("processed/process_stats.json").write_text(json.dumps({"prompt": prompt}))
    sign(CONVERSATION, signed, ["image"])
    describe(format="qwen-vl conversations", **dataset)


def lay_documents(documents: Mapping[str, str], **dataset: Any) -> None:
    """Lay text files below raw/."""
    signed = []
    for name, text in documents.items():
        path = Path("raw", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        signed.append(("all", path.as_posix(), table_of(DOCUMENT, [(name, text)])))
    sign(DOCUMENT, signed, ["name"])
    describe(**dataset)


def lay_small(kind: str) -> None:
    """Lay a data set of the kind, the same at every call."""
    if kind == "images":
        lay_images({split: [(pixels(number), number % 3) for number in range(250)] for split in ("train", "val")})
    elif kind == "text":
        row = [(f"text {number} " * (number % 9), ("sad", "glad")[number % 2]) for number in range(250)]
        lay_text({"train": row, "test": row[:120]})
    elif kind == "conversations":
        pairs = [(jpeg(8 + number, 9, number), f"caption {number}") for number in range(6)]
        lay_conversations({"train": pairs[:4], "test": pairs[4:]})
    else:
        lay_documents({f"d{number}.md": f"# {number}\n" * (number + 1) for number in range(5)})


def sign(
    schema: pa.Schema,
    parts: Sequence[tuple[str, str, pa.Table]],
    key: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
) -> None:
    """Write the manifest of split, file and samples; it names the files by the hashes of what lies there now."""
    found = {name: hashlib.sha256(Path(name).read_bytes()).hexdigest() for _, name, _ in parts}
    with ManifestWriter(SAMPLES, schema, key) as writer:
        for split, name, table in parts:
            for batch in table.to_batches():
                writer.add(batch, split=split, file=name, source=f"{split}.raw")
        writer.finish(found if files is None else files)


def resign() -> None:
    """Let the manifest name its files by the hashes of what lies there now; its rows stay."""
    table = pq.read_table(SAMPLES)
    meta = json.loads(table.schema.metadata[b"data-registry"])
    meta["files"] = {name: hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in meta["files"]}
    refoot(meta)


def refoot(meta: Any) -> None:
    """Give the manifest another footer."""
    table = pq.read_table(SAMPLES)
    with SAMPLES.open("wb") as file:
        pq.write_table(
            table.replace_schema_metadata({b"data-registry": json.dumps(meta)}), file, write_page_checksum=True
        )


def describe(**dataset: Any) -> None:
    """Write params.yaml and sources.csv."""
    words = dict.fromkeys(("title", "description", "source", "licence"), "?")
    document = {"dataset": {"name": "tiny", **words, **dataset}, "parquetizer": {"key": ["?"]}}
    Path("params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    Path("sources.csv").write_text(SOURCES)


def table_of(schema: pa.Schema, rows: Sequence[Row]) -> pa.Table:
    """Return rows as a table."""
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table([pa.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)], schema=schema)


def parquet(split: str) -> Path:
    return Path("processed", split, f"{split}.parquet")


def annotations(split: str) -> Path:
    return Path("processed", split, "annotations.json")


def pixels(number: int) -> list[list[int]]:
    """Return an image of two rows of three pixels; numbers below 2^16 give different ones."""
    return [[number % 256, number // 256, 7], [0, 255, number % 5]]


def jpeg(width: int, height: int, shade: int = 0) -> bytes:
    content = io.BytesIO()
    Image.new("L", (width, height), shade % 256).save(content, "JPEG")
    return content.getvalue()


def arguments(kind: str, *more: str) -> list[str]:
    files = [FOLDERS[kind], str(SAMPLES), str(METADATA)]
    return [kind, *files, "--params=params.yaml", "--sources=sources.csv", *more]


def measure(kind: str, *more: str) -> Result:
    """Run the tool in the current folder."""
    return CliRunner().invoke(cli, arguments(kind, *more))


def measured(kind: str, *more: str) -> dict[str, Any]:
    """Run the tool in the current folder; return what it wrote, read as strictly as any reader may."""
    result = measure(kind, *more)
    assert result.exit_code == 0, result.stderr or result.exception
    return strictly(METADATA.read_text(encoding="utf-8"))


def refusal(kind: str, *more: str) -> tuple[int, str]:
    """Run the tool, which must refuse and leave the old file; return its code and its last line."""
    METADATA.write_text("old")
    result = measure(kind, *more)
    assert result.exit_code != 0
    assert METADATA.read_text() == "old"
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr, repr(result.exception)
    return result.exit_code, result.stderr.splitlines()[-1]


def ids() -> list[str]:
    """Return the ids of all samples, in the order of the manifest."""
    return [value.hex() for value in pq.read_table(SAMPLES)["sample_id"].to_pylist()]
