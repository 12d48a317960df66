"""Images, audio and documents as people have them, made of the digits of scikit-learn, tones, and our own READMEs."""

import dataclasses
import functools
import gzip
import io
import math
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from data_registry.clone import repository
from e2e.thirty.cases import package
from PIL import Image

Labelled = tuple[bytes, str]  # the bytes of a file and its class, or ""


@dataclasses.dataclass(frozen=True)
class Media:
    """Files that are samples: ``prepare`` writes what FROM= names and returns it, ``files`` has those of each split."""

    name: str
    media: str
    prepare: Callable[[Path], Path]
    files: Callable[[], Mapping[str, list[Labelled]]]
    settings: Mapping[str, Any]
    classes: tuple[str, ...]


FORMATS = ("PNG", "JPEG", "WEBP")  # of the digits 0, 1 and 2
SOUNDS = ("wav", "flac", "ogg", "mp3")  # in turn


def digits() -> dict[str, list[Labelled]]:
    """Return images of three digits, each in a format of its own: ten of each to train, and two to test."""
    with gzip.open(package("sklearn", "datasets", "data", "digits.csv.gz")) as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    splits: dict[str, list[Labelled]] = {"train": [], "test": []}
    for digit in range(3):
        for number, row in enumerate(rows[rows[:, 64] == digit][:12, :64]):
            data = io.BytesIO()
            Image.fromarray((row * 15).reshape(8, 8)).save(data, FORMATS[digit])
            splits["train" if number < 10 else "test"].append((data.getvalue(), f"digit-{digit}"))
    return splits


def zipped_digits(folder: Path) -> Path:
    path = folder / "digits.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("digits/README.md", "# Digits\n")
        for split, files in digits().items():
            for number, (data, label) in enumerate(files):
                suffix = FORMATS[int(label[-1])].lower()
                archive.writestr(f"digits/{split}/{label}/{number:03}.{suffix}", data)
    return path


@functools.cache  # the serial number of an Ogg stream is drawn
def tones() -> dict[str, list[Labelled]]:
    """Return audio of a tenth of a second, of two tones, in each of the formats."""
    files = []
    for label, hertz in (("a", 440), ("c", 523)):
        for volume in range(1, 9):
            samples = [volume / 10 * math.sin(2 * math.pi * hertz * at / 8000) for at in range(800)]
            data = io.BytesIO()
            soundfile.write(data, np.array(samples), 8000, format=SOUNDS[volume % len(SOUNDS)].upper())
            files.append((data.getvalue(), label))
    return {"train": files}


def tones_by_folder(folder: Path) -> Path:
    target = folder / "tones"
    for number, (data, label) in enumerate(tones()["train"]):
        (target / label).mkdir(parents=True, exist_ok=True)
        (target / label / f"{number}.{SOUNDS[(number % 8 + 1) % len(SOUNDS)]}").write_bytes(data)
    return target


def readmes(folder: Path) -> Path:
    """Write the READMEs of the tools into a folder each."""
    target = folder / "readmes"
    for path in (repository() / "tools").glob("*/README.md"):
        (target / path.parent.name).mkdir(parents=True)
        shutil.copy(path, target / path.parent.name / f"{path.parent.name}.md")
    return target


MEDIA: tuple[Media, ...] = (
    Media(
        "digit-images",
        "image",
        zipped_digits,
        digits,
        {"media": "image", "split-folders": True, "labels": "folder"},
        ("digit-0", "digit-1", "digit-2"),
    ),
    Media("tones", "audio", tones_by_folder, tones, {"media": "audio", "labels": "folder"}, ("a", "c")),
)
