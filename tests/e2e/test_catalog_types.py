"""The catalogue of columns of every type: its pages in a browser, and the programs that it shows, run as they stand."""

import datetime as dt
import html
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from catalog.cli import cli
from click.testing import CliRunner
from conftest import environ
from data_registry import get, load
from e2e.browser import chromium, problems, watched
from e2e.programs import plain
from e2e.test_use import PROGRAM, PROGRAMS, READING, SECTION, TORCH
from playwright.sync_api import Browser
from unit.parquetizer.media_files import picture, sound
from unit.registry.lineage_world import World
from unit.registry.typed_world import build, make_typed_world, parquet

pytestmark = pytest.mark.extended

RUNS = '<img src=x onerror="window.ran=1"></script><script>window.ran=1</script>'
CHAT = "list<struct<role: string, content: string>>"
COLUMNS: list[dict[str, Any]] = [
    {"name": "photo", "type": "image"},
    {"name": "voice", "type": "audio"},
    {"name": "messages", "type": CHAT},
    {"name": "facts", "type": f"struct<{json.dumps(RUNS)}: list<string>>"},
]
HOSTILE = [
    {
        "photo": {"bytes": picture(number), "path": f"{RUNS}{number}.png"},
        "voice": {"bytes": sound("WAV", "IMA_ADPCM" if number else None), "path": f"{RUNS}{number}.wav"},
        "messages": [{"role": RUNS, "content": f"{RUNS}\n{number}"}],
        "facts": {RUNS: [RUNS, None, "é"]},
    }
    for number in range(2)
]
CHATS = [
    {"messages": [{"role": "user", "content": f"What is {n}?\nSay."}, {"role": "assistant", "content": "one " * 99}]}
    for n in range(12)
]
VERSIONS = {"events": "1.1.0", "pictures": "1.1.0", "turned": "2.0.0"}
VERSIONS |= dict.fromkeys(("log", "reviews", "tones", "blobs", "chats", "hostile"), "1.0.0")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("types")
    world = make_typed_world(folder)
    inputs = [{"file": "train", "split": "train"}]
    for name, columns, rows in (("chats", COLUMNS[2:3], CHATS), ("hostile", COLUMNS, HOSTILE)):
        build(world, name, "table", {"train": parquet(rows, columns)}, columns, format="parquet", inputs=inputs)
        world.tag(name, "1.0.0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGISTRY_ROOT", str(world.root))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        done = CliRunner().invoke(cli, ["build"])
        assert done.exit_code == 0, done.output
    return world


@pytest.fixture(scope="module")
def site(world: World) -> str:
    return f"{(world.root / 'site').as_uri()}/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def shown_row(browser: Browser, site: str, name: str, number: int = 0) -> dict[str, str]:
    """Return a row of the first table of a page, by column."""
    with watched(browser, site) as (page, wrong):
        page.goto(f"{site}datasets/{name}.html")
        table = page.locator("#samples table").first
        row = table.locator("tbody tr").nth(number).locator("th, td").all_text_contents()
        assert wrong == []
        return dict(zip(table.locator("thead th").all_text_contents(), row, strict=True))


def test_every_page_works_for_everybody(browser: Browser, site: str) -> None:
    pages, wrong = problems(browser, site)
    assert wrong == []
    assert set(pages) == {*(f"{site}datasets/{name}.html" for name in VERSIONS), f"{site}index.html"}


def test_values_of_every_type_are_readable(browser: Browser, site: str) -> None:
    row = shown_row(browser, site, "events", 3)
    assert row == {
        "row": "3",
        "id": "4",
        "label": "cat (0)",
        "local": "2024-02-29 23:59:04.123456",
        "instant": "2024-02-29 23:59:04.123456Z",
        "zoned": "2024-03-01 00:59:04.123456+0100",
        "day": "2024-02-05",
        "opens": "09:04:00",
        "precise": "09:00:00.000004",
        "took": "01:00:00.004",
        "price": "4.50",
        "large": "12345678901234567890123456789012344.125",
        "blob": "3 bytes: 04 00 ff",
        "tags": '["é"]',
        "turns": '[{"role": "user", "at": "2024-02-29 23:59:04.123456", "score": 1.25, "marks": [1, 2]}]',
        "box": '{"x": 1, "on": true, "when": "2024-01-01", "names": ["a", "b"]}',
        "deep": '{"inner": {"name": "n4", "value": 4}, "odd name": "o"}',
        "days": '["2024-01-01", "2024-01-02"]',
        "instants": '["2024-03-01 00:59:04.123456+0100"]',
        "matrix": "2 × 2",
        "photo": "4.png, 16 × 12, 656 B",
        "voice": "4.wav, 204 B",
        "photos": '["a.png, 16 × 12, 656 B", "16 × 12, 656 B"]',
    }


def test_images_and_sounds_are_there_by_class(browser: Browser, site: str) -> None:
    with watched(browser, site) as (page, wrong):
        page.goto(f"{site}datasets/pictures.html")
        images = page.locator("#samples img")
        assert images.evaluate_all("all => all.map(each => each.alt)") == ["cat", "cat", "dog", "dog"]
        assert images.evaluate_all("all => all.map(each => each.naturalWidth)") == [16] * 4
        assert page.locator("#samples table").count() == 0
        page.goto(f"{site}datasets/tones.html")
        players = page.locator("#samples audio")
        labels = ["a, a/0.wav", "a, a/1.wav", "c, c/0.wav", "c, c/1.wav"]
        assert players.evaluate_all("all => all.map(each => each.getAttribute('aria-label'))") == labels
        page.wait_for_function("[...document.querySelectorAll('audio')].every(each => each.duration === 0.25)")
        assert wrong == []


def test_messages_of_a_chat_are_lines(browser: Browser, site: str) -> None:
    lines = shown_row(browser, site, "chats")["messages"].split("\n")
    assert lines == ["user: What is 0?↵Say.", f"assistant: {('one ' * 99)[:200]}…"]


def test_hostile_values_are_text(browser: Browser, site: str) -> None:
    row = shown_row(browser, site, "hostile")
    assert row["photo"].startswith(f"{RUNS}0.png, 16 × 12, ")
    assert row["messages"] == f"{RUNS[:40]}…: {RUNS}↵0"
    assert row["facts"] == json.dumps({RUNS: [RUNS, None, "é"]}, ensure_ascii=False)
    with watched(browser, site) as (page, wrong):
        page.goto(f"{site}datasets/hostile.html")
        assert page.evaluate("window.ran") is None
        assert page.locator("main img[onerror]").count() == 0
        assert page.locator("#samples audio").count() == 1
        captions = page.locator(".sounds figcaption").all_text_contents()
        assert captions == [f"{RUNS}0.wav", f"{RUNS}1.wav (of a format that browsers do not play)"]
        assert wrong == []


@pytest.fixture(scope="module")
def programs(world: World) -> dict[str, dict[str, str]]:
    """The programs of each page by their titles."""
    pages = {name: (world.root / "site" / "datasets" / f"{name}.html").read_text() for name in VERSIONS}
    return {
        name: {html.unescape(title): html.unescape(text) for title, text in PROGRAM.findall(SECTION.findall(page)[0])}
        for name, page in pages.items()
    }


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of each release."""
    folder = tmp_path_factory.mktemp("use")
    for name, version in VERSIONS.items():
        get(name, version, repo=str(world.root), out=folder / name)
    return folder


def run(python: Path, chosen: dict[str, str], folder: Path, **changes: str) -> dict[str, dict[str, Any]]:
    (folder / "programs.json").write_text(json.dumps(chosen))
    command = [str(python), "-P", str(PROGRAMS), "programs.json", "results.json"]
    variables = environ(folder, HF_HUB_OFFLINE="1", RAY_USAGE_STATS_ENABLED="0", HF_HOME=str(folder / "hf"), **changes)
    done = subprocess.run(command, cwd=folder, env=variables, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    results: dict[str, dict[str, Any]] = json.loads((folder / "results.json").read_text())
    return results


def test_programs_read_the_samples(world: World, programs: dict[str, dict[str, str]], folder: Path) -> None:
    chosen = {f"{name} {title}": programs[name][title] for name in VERSIONS for title in READING}
    results = run(Path(sys.executable), chosen, folder)
    assert [result["failed"] for result in results.values() if "failed" in result] == []
    for name, version in VERSIONS.items():
        split = "train" if name in {"events", "log", "pictures"} else None
        rows = load(name, version, split=split, repo=str(world.root)).to_arrow().to_pylist()
        for title in READING:
            assert results[f"{name} {title}"]["rows"] == plain([as_read(row, title) for row in rows]), (name, title)


def as_read(row: dict[str, Any], title: str) -> dict[str, Any]:
    """Return a row as the library of a program gives it: images of Hugging Face are decoded, all of them 16 × 12."""
    row = dict(row)
    if title == "Hugging Face":
        decoded = {name: [16, 12] for name in ("image", "photo") if row.get(name)}
        row |= decoded | {name: [[16, 12] for _ in row[name]] for name in ("photos",) if name in row}
    elif "instants" in row and title != "Ray Data":  # NumPy's times have no zone
        row["instants"] = [time.astimezone(dt.UTC).replace(tzinfo=None) for time in row["instants"]]
    return row


def test_programs_of_torch_decode_files(
    programs: dict[str, dict[str, str]], folder: Path, chunk_embed: Path, tmp_path: Path
) -> None:
    packages = Path(soundfile.__file__).parent  # torch is in another environment than these
    names = ("PIL", "pillow.libs", "soundfile.py", "_soundfile.py", "_soundfile_data", "_cffi_backend.*")
    for path in (path for name in names for path in packages.glob(name)):
        (tmp_path / path.name).symlink_to(path)
    chosen = {name: programs[name][TORCH] for name in VERSIONS}
    results = run(chunk_embed / "bin" / "python", chosen, folder, PYTHONPATH=str(tmp_path))
    for name, start in {
        "events": r"\(16, 12\) \[[01], [01], [01]\]\n$",  # half of them have none
        "pictures": r"\(16, 12\) \[[01], [01], [01], [01]\]\n$",
        "tones": r"\(2000,\) 8000 \[[01], [01], [01], [01]\]\n$",
        "blobs": r"2 {'data': b",
        "chats": r"4 {'messages': array",
        "reviews": r"3 tensor\(",
        "hostile": r"\(16, 12\) dict_keys",
    }.items():
        assert re.match(start, results[name].get("printed", "")), results[name]
