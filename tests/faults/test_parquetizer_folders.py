"""Fail each write, flush and rename of the commands of the parquetizer that publish a folder and its manifest (Q15).

Whatever fails, the folder is the old one or the new one, to the last file, and a manifest that does not belong to it
says so by its hashes; the next run ends with the bytes of an undisturbed one and no leftovers.
"""

import dataclasses
import hashlib
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults.strace import DISK, KILL, needs_strace, numbers_within, run_failing
from samples import read_manifest
from unit.parquetizer.folders import found, idx, jpeg, pixels, run_with, write, write_params

pytestmark = needs_strace

GRAVE = ("write", "pwrite64", "fsync", "rename", "renameat2")
PROMPT = b"Describe the image."
LABEL = {"name": "label", "type": "string", "classes": ["joy", "anger"]}
IMAGES = [{"name": "image", "type": "uint8", "shape": [2, 3]}, {**LABEL, "type": "uint8"}]
TEXTS = [{"name": "text", "type": "string"}, LABEL]
PINNED = {"name": "p", "version": 1, "sha256": hashlib.sha256(PROMPT).hexdigest()}
Files = dict[str, bytes | str]


@dataclasses.dataclass(frozen=True)
class Command:
    """A command, its settings, and the raw files of an earlier and of this run."""

    name: str
    settings: dict[str, Any]
    raw: Callable[[int], Files]
    options: tuple[str, ...] = ()


def images(number: int) -> Files:
    labels = {f"raw/{split}-labels": idx(np.full(3, number)) for split in ("train", "val")}
    return {**labels, "raw/train-images": idx(pixels(3, 2, 3)), "raw/val-images": idx(pixels(3, 2, 3))}


def texts(number: int) -> Files:
    return {f"raw/{split}": f"a text;{number}\nanother;0\n" for split in ("train", "val")}


def captioned(number: int) -> Files:
    entries = [{"image": f"{name}.jpg", "caption": f"number {number}"} for name in "ab"]
    pictures: Files = {f"raw/images/{name}.jpg": jpeg(number) for name in "ab"}
    return {"raw/captions.json": json.dumps(entries), "prompt.txt": PROMPT, **pictures}


SPLITS = ("train", "val")
COMMANDS = {
    "idx": Command(
        "idx",
        {
            "columns": IMAGES,
            "inputs": [{"images": f"{name}-images", "labels": f"{name}-labels", "split": name} for name in SPLITS],
        },
        images,
    ),
    "text": Command(
        "text",
        {"columns": TEXTS, "format": "lines", "inputs": [{"file": name, "split": name} for name in SPLITS]},
        texts,
    ),
    "conversations": Command(
        "conversations", {"prompt": PINNED, "splits": {"train": 0.5, "val": 0.5}}, captioned, ("--prompt", "prompt.txt")
    ),
}


@dataclasses.dataclass(frozen=True)
class Pair:
    """The files of the folder, and the bytes of the manifest."""

    folder: dict[str, bytes]
    manifest: bytes


class Sweep:
    """A folder with raw files and the outputs of an earlier run, which left a file that this one does not make."""

    def __init__(self, folder: Path, command: Command) -> None:
        self.folder, self.out, self.raw = folder, folder / "out", command.raw(1)
        self.processed, self.samples = self.out / "processed", self.out / "samples.parquet"
        paths = ["raw", str(self.processed), str(self.samples), "--params", "params.yaml"]
        self.arguments = [command.name, *paths, *command.options]
        self.command = [sys.executable, "-c", "from parquetizer.cli import cli; cli()", *self.arguments]
        write_params(**command.settings)
        write(command.raw(0))
        self.old = self.made()
        self.old.folder[str(self.processed / "older/file")] = b"of an older release"
        write(self.raw)
        self.new = self.made()
        self.prepare()
        self.calls = numbers_within(self.out, self.command, folder, GRAVE)
        self.counts: Counter[str] = Counter()

    def made(self) -> Pair:
        outcome = run_with(*self.arguments)
        assert outcome.code == 0, outcome.error
        return self.found()

    def found(self) -> Pair:
        return Pair(found(self.processed), self.samples.read_bytes())

    def prepare(self) -> None:
        shutil.rmtree(self.out)
        write({**self.old.folder, str(self.samples): self.old.manifest})

    def fail(self, call: str, number: int, fault: str) -> None:
        """Inject one fault and check what it left, and what the next run makes of it."""
        self.prepare()
        run = run_failing(self.command, self.folder, call, fault, number)
        where = f"{fault} at {call} {number}: {run.code} {run.said}"
        assert run.fired, where
        left = self.found()
        assert left.folder in (self.old.folder, self.new.folder), where
        assert left.manifest in (self.old.manifest, self.new.manifest), where
        assert (left.folder, left.manifest) != (self.old.folder, self.new.manifest), where
        matching = left in (self.old, self.new)
        assert self.belong_together() is matching, where
        if fault == KILL:
            assert run.killed, where
        elif run.code:
            last = run.said.splitlines()[-1]
            assert run.code == 50 and last.startswith("error: ") and "; fix: " in last, where
            assert "Traceback" not in run.said, where
        else:
            assert left == self.new, where
        assert found(Path("raw")) == {
            name: data for name, data in sorted(bytes_of(self.raw)) if name.startswith("raw/")
        }
        self.counts["injected"] += 1
        self.counts[f"ended with {run.code}"] += 1
        self.counts[f"left {'a mismatch' if not matching else 'the old' if left == self.old else 'the new'}"] += 1
        assert self.made() == self.new, where
        assert sorted(path.name for path in self.out.iterdir()) == ["processed", "samples.parquet"], where

    def belong_together(self) -> bool:
        """Look at the pair as a reader does: by the hashes in the manifest."""
        files = read_manifest(self.samples).files
        return all(hashlib.sha256(Path(name).read_bytes()).hexdigest() == sha256 for name, sha256 in files.items())


def bytes_of(files: Files) -> Iterable[tuple[str, bytes]]:
    return ((name, data.encode() if isinstance(data, str) else data) for name, data in files.items())


@pytest.fixture
def sweep(tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    made = Sweep(tmp_path, COMMANDS[request.param])
    yield made
    print(f"\n{request.node.name}: {dict(sorted(made.counts.items()))}")


@pytest.mark.parametrize(
    "sweep", [pytest.param(kind, marks=[pytest.mark.extended] * (kind != "text")) for kind in COMMANDS], indirect=True
)
def test_a_death_or_full_disk_between_folder_and_manifest_leaves_whole_ones(sweep):
    """Q15: the swap of the folders, the flush after it, and the rename of the manifest."""
    (swap,) = [number for call, number in sweep.calls if call == "renameat2"]
    (rename,) = [number for call, number in sweep.calls if call == "rename" and number == 2]
    sweep.fail("renameat2", swap, DISK[0])
    sweep.fail("rename", rename, KILL)
    assert sweep.counts["left a mismatch"] == 1  # the new folder beside the old manifest


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*DISK, KILL])
@pytest.mark.parametrize("sweep", COMMANDS, indirect=True)
def test_any_fault_leaves_a_whole_folder(sweep, fault):
    """Q15: every write, flush and rename."""
    for call, number in sweep.calls:
        sweep.fail(call, number, fault)
    assert sweep.counts["injected"] == len(sweep.calls) > 12
