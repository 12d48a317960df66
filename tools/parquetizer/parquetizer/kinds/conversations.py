"""Convert captioned images into Qwen conversations: ``annotations.json`` and images per split, and the manifest."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

import pyarrow as pa
from samples import ManifestWriter
from stage.errors import EmptyInput, UsageError
from stage.inside import inside
from stage.progress import progress

from parquetizer.kinds.captions import IMAGE, Captioned, read_captions
from parquetizer.kinds.conversations_settings import SCHEMA, ConversationsSettings
from parquetizer.kinds.jpeg import read_jpeg
from parquetizer.split_files import SplitsResult, published
from parquetizer.splits import in_order


def parquetize_conversations(
    raw: Path, prompt: Path, output: Path, samples: Path, settings: ConversationsSettings
) -> SplitsResult:
    """Write ``<split>/annotations.json`` and ``<split>/images`` into ``output``, and the manifest ``samples``.

    Images are numbered across all splits. ``process_stats.json`` has counts and prompt.

    Raises InputMissing, ChecksumMismatch for another prompt than the pinned one, BadRows if captions and images do not
    match, CorruptFile for a damaged image, EmptyInput for a split without samples, PolicyViolation for a path
    outside ``raw``.
    """
    text = settings.prompt.read(prompt)
    if IMAGE in text or "\0" in text or not text.strip():
        fix = f"pin another text; {IMAGE} is added before it"
        raise UsageError(prompt, f"the prompt is empty, or contains {IMAGE} or NUL", fix)
    images = inside(raw, settings.images, "parquetizer.images")
    captioned = read_captions(inside(raw, settings.captions, "parquetizer.captions"), images)
    with (
        published(output, samples, raw, prompt) as (folder, manifest_path),
        ManifestWriter(manifest_path, SCHEMA, settings.key) as manifest,
    ):
        number, rows, files = 0, {}, {}
        with progress("writing images", len(captioned), "images") as advance:
            for split, members in _splits(captioned, images, text, settings):
                if not members:
                    raise EmptyInput(f"split {split}", "no samples", "give it a larger share")
                annotations = folder / split / "annotations.json"
                name = f"{output.as_posix()}/{split}/annotations.json"
                (folder / split / "images").mkdir(parents=True)
                with annotations.open("w", encoding="ascii") as file:
                    for member in members:
                        image = f"{split}_{settings.stem}_{number:06d}.jpg"
                        data = read_jpeg(images / member.image)
                        (folder / split / "images" / image).write_bytes(data)
                        turns = _turns(text, member.caption)
                        file.write(_element({"image": image, "conversations": turns}, first=member is members[0]))
                        manifest.add(
                            _sample(data, turns), split=split, file=name, source=f"{settings.images}/{member.image}"
                        )
                        number += 1
                        advance(1)
                    file.write("\n]")
                rows[split] = len(members)
                files[name] = hashlib.sha256(annotations.read_bytes()).hexdigest()
        _write_stats(folder / "process_stats.json", rows, text, settings)
        manifest.finish(files)
    return SplitsResult(output.as_posix(), rows, files)


def _splits(
    captioned: list[Captioned], images: Path, text: str, settings: ConversationsSettings
) -> Iterator[tuple[str, list[Captioned]]]:
    if settings.split == "seeded":
        numbers = [_drawn_split(image, images, text, settings) for image in captioned]
    else:
        numbers = in_order(len(captioned), settings.splits).tolist()
    for number, split in enumerate(settings.splits):
        yield split, [image for image, drawn in zip(captioned, numbers, strict=True) if drawn == number]


def _drawn_split(image: Captioned, images: Path, text: str, settings: ConversationsSettings) -> int:
    sample = _sample(read_jpeg(images / image.image), _turns(text, image.caption))
    _, (number,) = settings.split_rows(sample)
    return int(number)


def _turns(prompt: str, caption: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": f"{IMAGE}\n{prompt}"}, {"from": "gpt", "value": caption}]


def _sample(image: bytes, turns: list[dict[str, str]]) -> pa.RecordBatch:
    return pa.record_batch([pa.array([image]), pa.array([turns], SCHEMA.field("conversations").type)], schema=SCHEMA)


def _element(value: dict[str, Any], first: bool) -> str:
    """Return one element of an array as ``json.dumps(array, indent=2)`` would write it."""
    return ("[\n" if first else ",\n") + indent(json.dumps(value, indent=2), "  ")


def _write_stats(path: Path, rows: dict[str, int], text: str, settings: ConversationsSettings) -> None:
    prompt = settings.prompt
    document = {
        **{f"{split}_samples": count for split, count in rows.items()},
        **{f"{split}_split": share for split, share in list(settings.splits.items())[:1]},
        "prompt": {
            "prompt_name": prompt.name,
            "prompt_version": prompt.version,
            "prompt_uri": f"prompts:/{prompt.name}/{prompt.version}",
            "prompt_text": text,
        },
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
