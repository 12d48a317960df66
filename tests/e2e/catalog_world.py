"""A registry for the catalogue: datasets of every form in several versions, written straight into git and a store.

What stats would have found is written by hand, in its shape, so that hundreds of releases take seconds.
"""

import dataclasses
import hashlib
import io
import json
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from PIL import Image
from unit.registry.lineage_world import (
    TEXTS,
    Made,
    World,
    make_world,
    notes,
    parquet,
    rows,
    two,
    wines,
    xrays,
)

CLASSES = ["joy", "anger", "love", "fear"]
IMAGES = pa.schema([("image", pa.list_(pa.list_(pa.uint8()))), ("label", pa.uint8())])
VECTORS = pa.schema([("id", pa.string()), ("content", pa.string()), ("embedding", pa.list_(pa.float32(), 4))])
TRACKED = ("dvc.yaml", "dvc.lock", "params.yaml", "metadata.json", "README.md", "croissant.json")
DAY = 86_400


@dataclasses.dataclass(frozen=True)
class Version:
    """One version of a dataset: its files, and what its metadata says beside what the world knows."""

    made: Made
    metadata: dict[str, Any]


def texts(seed: int, version: int) -> Version:
    """Labelled texts in two splits; from version to version some go, come, are labelled anew and move."""
    numbers = range(seed + version, seed + version + 60)
    train = [(f"text {n} " + "word " * (n % 17), CLASSES[(n + (n == seed + 30) * version) % 4]) for n in numbers]
    val = [(f"text {n} again", CLASSES[n % 3]) for n in numbers[: 10 + version]]
    parts = [(split, f"processed/{split}/{split}.parquet", rows(TEXTS, part)) for split, part in two(train, val)]
    made = Made(TEXTS, ["text"], {file: parquet(batch) for _, file, batch in parts}, parts)
    features = {
        "text": {"dtype": "string", "description": "what somebody wrote"},
        "label": {"dtype": "string", "description": "what it expresses", "classes": CLASSES},
    }
    ids = [f"{n:032x}" for n in range(3)]
    checks = {
        "conflicts": {"samples": 2, "groups": 1},
        "split_leaks": {"val in train": {"samples": 3, "ids": ids}},
        "warnings": [
            "2 of 70 samples have the same text as another that differs",
            "samples of val that are in train too: 3",
        ],
    }
    figures = {split: {"word_count_mean": 7.5, "word_count_max": 18 + version} for split in ("train", "val")}
    return Version(made, {"schema": {"features": features}, "checks": checks, "metrics": figures})


def table(seed: int, version: int) -> Version:
    """Measurements with a target."""
    random = np.random.default_rng(seed)
    drawn = [
        (round(float(a), 1), int(q)) for a, q in zip(random.gamma(9, 1, 80), random.integers(3, 9, 80), strict=True)
    ]
    made = wines(drawn[version:])
    counts = {str(mark): sum(q == mark for _, q in drawn) for mark in range(3, 9)}
    numbers = {"mean": 9.1, "std": 0.25, "min": 1.5, "max": 22.5, "median": 9}
    return Version(
        made,
        {
            "schema": {
                "features": {"alcohol": {"dtype": "float64", "description": "percent by volume"}},
                "target": {"name": "quality", "dtype": "int64", "description": "the tasters' mark"},
            },
            "splits": {},
            "summary": {"num_samples": len(drawn) - version, "quality_distribution": counts},
            "statistics": {"features": {"alcohol": numbers}, "target": numbers},
        },
    )


def plain(seed: int, version: int) -> Version:
    """The same without a target, and without figures."""
    return Version(wines([(9.0 + number, seed % 9) for number in range(20 + version)]), {"splits": {}})


def images(seed: int, version: int) -> Version:
    """Small grey images in ten classes, which have names."""
    pixels = np.random.default_rng(seed).integers(0, 256, (44, 8, 8), np.uint8)
    labelled = [(image.tolist(), number % 10) for number, image in enumerate(pixels)][version:]
    parts = [
        (split, f"processed/{split}/{split}.parquet", rows(IMAGES, part))
        for split, part in two(labelled[4:], labelled[:4])
    ]
    made = Made(IMAGES, [], {file: parquet(batch) for _, file, batch in parts}, parts)
    counts = {str(number): 4 for number in range(10)}
    features = {
        "image": {"dtype": "uint8", "shape": [8, 8], "description": "grey values"},
        "label": {"dtype": "uint8", "description": "what it is", "classes": {str(n): f"thing {n}" for n in range(10)}},
    }
    splits = {split: {"num_samples": batch.num_rows, "class_distribution": counts} for split, _, batch in parts}
    return Version(made, {"schema": {"features": features}, "splits": splits})


def captioned(seed: int, version: int) -> Version:
    """Photographs with a conversation about each, asked by a prompt."""
    made = xrays(tuple(_jpeg(seed + number) for number in range(3 - (version > 1))))
    prompt = {"prompt_name": "describe", "prompt_version": version + 1, "prompt_text": "Describe\nthe image."}
    return Version(made, {"prompt": prompt})


def documents(seed: int, version: int) -> Version:
    """Markdown files, measured as a whole."""
    made = notes({f"{name}_README.md": f"# {name}\n\nText {seed}, {version}.\n" for name in ("one", "two", "three")})
    return Version(made, {"statistics": {"total_files": 3, "average_words": 4.5}})


def vectors(seed: int, version: int) -> Version:
    """Chunks with vectors, made from a release of documents, and how well questions find them."""
    chunks = [(f"id-{seed}-{n}", f"chunk {n} " * 30, [n, 1.0, 0.5, version]) for n in range(12 + version)]
    file = "embeddings.parquet"
    batch = rows(VECTORS, chunks)
    measured = {"hit@1": 0.8, "hit@5": 0.9667, "mrr": 0.875, "ndcg@10": 0.88}
    ways = {way: {"by_source": measured, "by_concepts": measured} for way in ("vector", "text", "hybrid")}
    parents = [{"dataset": "documents", "version": "documents-v1.0.0"}]
    provenance = {"sample": False, "parents": parents, "params": {}, "tools": {}}
    metadata = {"evaluation": {"questions": {"number": 30}, **ways}, "provenance": provenance}
    return Version(Made(VECTORS, ["id"], {file: parquet(batch)}, [("all", file, batch)]), metadata)


FORMS: tuple[Callable[[int, int], Version], ...] = (texts, table, images, captioned, documents, vectors, plain)


def add(
    world: World,
    name: str,
    versions: Iterable[Version],
    readme: str | None = "",
    croissant: bytes = b"",
    without: str = "",
    **about: str,
) -> list[str]:
    """Build and release the versions of a dataset, as 1.0.0, 1.1.0 and so on; return their tags.

    Of the first one a file is left out, the one called ``without``.
    """
    releases = []
    for number, version in enumerate(versions):
        folder = build(world, name, version, readme, **about)
        if croissant:
            (folder / "croissant.json").write_bytes(croissant)
        files = {path: (folder / path).read_bytes() for path in _there(folder) if number or path != without}
        releases.append(_Release(name, f"1.{number}.0", files))
    return _publish(world.root, releases)


def build(world: World, name: str, version: Version, readme: str | None = "", **about: str) -> Path:
    """Build a dataset in the clone, unreleased, without a README for None; return its folder."""
    said = {"name": name, "title": f"The {name}", "description": f"Made for tests of {name}.", "licence": "MIT"}
    said |= {"source": "https://example.org/raw", "citation": "Somebody. Something. 2026.", **about}
    folder = world.root / "data" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump({"dataset": said}))
    card = "---\ntask_categories:\n- text-classification\n---\n" if "text" in version.made.schema.names else ""
    if readme is not None:
        (folder / "README.md").write_text(readme or f"{card}# {name}\n\nA *README* of [{name}](README.md).\n")
    files = {file: _pin(data) for file, data in version.made.files.items()}
    return world.build(name, version.made, **{"dataset": said, "files": files, **version.metadata})


def make_catalog_world(folder: Path, datasets: int = 0, versions: int = 3) -> World:
    """Make a registry with a dataset of each form, or as many ``datasets``, whose names have a number too."""
    world = make_world(folder)
    _publish(world.root, [_Release("", "", {})])
    for number in range(datasets or len(FORMS)):
        form = FORMS[number % len(FORMS)]
        name = f"{form.__name__}-{number}" if datasets else form.__name__
        add(world, name, [form(1000 * number, version) for version in range(versions)])
    return world


def _there(folder: Path) -> list[str]:
    return [path for path in TRACKED if (folder / path).is_file()]


def _pin(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _jpeg(seed: int) -> bytes:
    sink = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (60, 90), np.uint8)
    Image.fromarray(pixels).save(sink, "JPEG")
    return sink.getvalue()


@dataclasses.dataclass(frozen=True)
class _Release:
    """The files in git of a release; of no dataset, those of the registry itself."""

    name: str
    version: str
    files: dict[str, bytes]

    @property
    def tag(self) -> str:
        return f"{self.name}-v{self.version}"

    @property
    def message(self) -> bytes:
        if not self.name:
            return b"Begin"
        metadata = self.files["metadata.json"]
        found = json.loads(metadata)["logical_hash"]
        digest = hashlib.sha256(metadata).hexdigest()
        return f"{self.name} {self.version}\n\nlogical-hash: {found}\nmetadata-sha256: {digest}\n".encode()


def _publish(root: Path, releases: Iterable[_Release]) -> list[str]:
    """Commit and tag releases, each a day after the other, by one process (git-fast-import(1))."""
    tags, stream, parent = [], io.BytesIO(), _head(root)
    for number, each in enumerate(releases):
        who = f"Tester <tester@localhost> {1_780_000_000 + number * DAY} +0000\n"
        stream.write(f"commit refs/heads/main\ncommitter {who}".encode() + _data(each.message))
        stream.write(f"from {parent}\n".encode() if parent and not number else b"")
        files = {f"data/{each.name}/{path}": data for path, data in each.files.items()}
        beginning = {path: (root / path).read_bytes() for path in (".dvc/config", ".gitignore", "tools/run")}
        for path, data in (files or beginning).items():
            stream.write(f"M 100644 inline {path}\n".encode() + _data(data))
        if each.name:
            stream.write(f"tag {each.tag}\nfrom refs/heads/main\ntagger {who}".encode() + _data(each.message))
            tags.append(each.tag)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=root, input=stream.getvalue(), check=True)
    return tags


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _head(root: Path) -> str:
    done = subprocess.run(["git", "rev-parse", "-q", "--verify", "refs/heads/main"], cwd=root, capture_output=True)
    return done.stdout.decode().strip()
