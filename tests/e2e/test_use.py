"""The programs that the catalogue offers for copying, taken from its pages and run as they stand."""

import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL
import pytest
from conftest import environ, git
from data_registry import load
from e2e.programs import plain
from launcher.toolbox import find_tools
from launcher.virtualenvs import virtualenv
from PIL import Image

pytestmark = pytest.mark.extended

PROGRAMS = Path(__file__).with_name("programs.py")
SECTION = re.compile(r'<section id="use">(.*?)</section>', re.DOTALL)
PROGRAM = re.compile(r"<figcaption><span>([^<]*)</span></figcaption>\s*<pre[^>]*><code>([^<]*)</code>")
INSTALL, LOAD, GET = "Install the Python client", "Load it in Python", "Download all files, verified"
DVC, TORCH = "DVC", "PyTorch"
READING = (LOAD, "dvc.api", "pandas", "Ray Data", "Hugging Face")
NAMES = {  # of each dataset, its split to train on, and what DVC gets
    "emotion": ("train", "train.parquet"),
    "fashion-mnist": ("train", "train.parquet"),
    "opencloudhub-readmes": (None, "raw"),
    "opencloudhub-readmes-embeddings": (None, "embeddings.parquet"),
    "opencloudhub-readmes-rag-evaluation": (None, "questions.csv"),
    "roco-radiology": ("train", "train"),
    "wine-quality": (None, "wine-quality.csv"),
}

Rows = list[dict[str, Any]]
Pages = dict[str, dict[str, str]]
Found = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def pages(released: Path, names: list[str]) -> Pages:
    """The programs of each dataset's page, by their titles."""
    found = {}
    for name in names:
        page = (released / "site" / "datasets" / f"{name}.html").read_text(encoding="utf-8")
        programs = PROGRAM.findall(SECTION.findall(page)[0])
        found[name] = {html.unescape(title): html.unescape(text) for title, text in programs}
    return found


@pytest.fixture(scope="module")
def known(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of somebody who knows nothing of the registry but what the page says."""
    folder = tmp_path_factory.mktemp("home")
    path = f"{virtualenv(find_tools(root)['registry'], root) / 'bin'}:{os.environ['PATH']}"
    homes = {name: str(folder / name) for name in ("XDG_CACHE_HOME", "HF_HOME", "DVC_SITE_CACHE_DIR")}
    said = dict.fromkeys(("DVC_REPO", "DVC_REPO_URL", "DVC_REMOTE", "DVC_DATA_VERSION"), "")
    return environ(root, PATH=path, HF_HUB_OFFLINE="1", RAY_USAGE_STATS_ENABLED="0", **homes, **said)


@pytest.fixture(scope="module")
def folder(released: Path, pages: Pages, known: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the first command of each page gets, and nothing else."""
    place = tmp_path_factory.mktemp("use")
    git(place, "clone", "-q", str(released.parent / "origin.git"), "clone")
    script = "\n".join(programs[GET] for programs in pages.values())
    made = {**known, "RUNTIME": "host"}
    subprocess.run(["sh", "-ec", script], cwd=place / "clone", env=made, check=True)
    (place / "empty").mkdir()
    for name in pages:
        shutil.move(place / "clone" / name, place / "empty" / name)
    return place / "empty"


@pytest.fixture(scope="module")
def found(folder: Path, pages: Pages, known: dict[str, str]) -> Found:
    """What the programs that read with other libraries than torch have found, by dataset and title."""
    return run(Path(sys.executable), dict.fromkeys(pages, READING), folder, pages, known)


@pytest.fixture(scope="module")
def trained(root: Path, chunk_embed: Path, folder: Path, pages: Pages, known: dict[str, str]) -> Found:
    """What the programs of torch have found: in chunk-embed's environment, which has it, with our Pillow."""
    place = folder.parent / "pillow"
    place.mkdir()
    for installed in Path(PIL.__file__).parents[1].glob("[Pp][Ii]*[Ll]*"):
        if installed.name in {"PIL", "pillow.libs"}:
            (place / installed.name).symlink_to(installed)
    path = {**known, "PYTHONPATH": str(place)}
    return run(chunk_embed / "bin" / "python", dict.fromkeys(pages, (TORCH,)), folder, pages, path)


def run(
    python: Path,
    chosen: dict[str, tuple[str, ...]],
    folder: Path,
    pages: Pages,
    known: dict[str, str],
) -> Found:
    asked, told = folder.parent / "asked.json", folder.parent / "told.json"
    asked.write_text(json.dumps({f"{name} {each}": pages[name][each] for name in chosen for each in chosen[name]}))
    command = [str(python), "-P", str(PROGRAMS), str(asked), str(told)]
    done = subprocess.run(command, cwd=folder, env=known, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    seen: Found = json.loads(told.read_text())
    return seen


@pytest.fixture(scope="module")
def expected(released: Path, names: list[str]) -> dict[str, Rows]:
    """The rows of each release that its programs read."""
    chosen = {name: NAMES[name][0] for name in names}
    return {
        name: load(name, split=split, repo=str(released), remote="local").to_arrow().to_pylist()
        for name, split in chosen.items()
    }


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest, names: list[str]) -> str:
    chosen: str = request.param
    if chosen not in names:
        pytest.skip("chunk-embed is not at hand: set PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS")
    return chosen


def test_every_dataset_has_every_program(name: str, pages: Pages, names: list[str]) -> None:
    assert set(NAMES) >= set(names)
    assert list(pages[name]) == [INSTALL, LOAD, GET, DVC, "dvc.api", "pandas", TORCH, "Ray Data", "Hugging Face"]


def test_dvc_gets_it(name: str, pages: Pages, folder: Path, known: dict[str, str], tmp_path: Path) -> None:
    subprocess.run(["sh", "-ec", pages[name][DVC]], cwd=tmp_path, env=known, check=True)
    (got,) = (each for each in tmp_path.iterdir() if each.name != ".git")
    assert got.name == NAMES[name][1]
    (same,) = (each for each in folder.glob(f"{name}/**/{got.name}") if "readmes" not in each.parts)
    assert files(got) == files(same)


def files(path: Path) -> dict[str, bytes]:
    found = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in found}


@pytest.mark.parametrize("title", READING)
def test_it_reads_the_samples_of_the_release(
    name: str, title: str, found: Found, expected: dict[str, Rows], folder: Path
) -> None:
    seen, rows = found[f"{name} {title}"], plain(expected[name])
    assert "failed" not in seen, seen["failed"]
    if (name, title) == ("opencloudhub-readmes", "dvc.api"):
        seen["rows"] = [{"name": path.rpartition("/")[2], "text": text} for path, text in seen["rows"].items()]
    if (name, title) == ("opencloudhub-readmes", "Ray Data"):
        seen["rows"] = [{"name": each["path"].rpartition("/")[2], "text": each["text"]} for each in seen["rows"]]
    if name == "roco-radiology" and title == "Hugging Face":
        rows = [{**row, "image": size(each["image"])} for row, each in zip(rows, expected[name], strict=True)]
    elif name == "roco-radiology" and title != LOAD:
        images = folder / name / "processed" / "train" / "images"
        seen["rows"] = [{**row, "image": (images / row["image"]).stat().st_size} for row in seen["rows"]]
    assert seen["rows"] == rows


def test_torch_loads_a_batch_of_it(name: str, trained: Found, expected: dict[str, Rows]) -> None:
    seen, rows = trained[f"{name} {TORCH}"], expected[name]
    assert "failed" not in seen, seen["failed"]
    batch, sums = BATCHES[name](rows)
    assert re.match(batch, seen["printed"])
    assert {tensor: seen["sums"][tensor] for tensor in sums} == pytest.approx(sums, rel=1e-5)


def size(image: bytes) -> list[int]:
    return list(Image.open(io.BytesIO(image)).size)


def total(values: Any) -> float:
    return sum(map(total, values)) if isinstance(values, list) else float(values)


# What is printed of a batch, as a pattern, and the sums of the tensors that it was taken from.
BATCHES: dict[str, Callable[[Rows], tuple[str, dict[str, float]]]] = {
    "emotion": lambda rows: (r"32 tensor\(\[", {}),
    "fashion-mnist": lambda rows: (
        r"torch.Size\(\[64, 1, 28, 28\]\) torch.Size\(\[64\]\)$",
        {"images": total([each["image"] for each in rows]) / 255, "labels": total([each["label"] for each in rows])},
    ),
    "opencloudhub-readmes": lambda rows: ("4 ", {}),
    "opencloudhub-readmes-embeddings": lambda rows: (
        rf"torch.Size\(\[{min(64, len(rows))}, 384\]\)$",
        {"vectors": total([each["embedding"] for each in rows])},
    ),
    "opencloudhub-readmes-rag-evaluation": lambda rows: ("4 {'question': '", {}),
    "roco-radiology": lambda rows: (
        r"\(\d+, \d+\) (" + "|".join(re.escape(each["conversations"][1]["value"]) for each in rows) + ")$",
        {},
    ),
    "wine-quality": lambda rows: (
        rf"torch.Size\(\[{len(rows)}, 12\]\) torch.Size\(\[{len(rows)}\]\)$",
        {
            "target": total([each.pop("quality") for each in rows]),
            "features": total([list(each.values()) for each in rows]),
        },
    ),
}
