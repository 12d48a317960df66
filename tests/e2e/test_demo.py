"""make demo, as a newcomer types it, and the catalogue that it ends in."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import git
from e2e.browser import chromium, problems, watched
from e2e.conftest import Demo
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def test_it_shows_the_whole_journey_and_touches_nothing_else(demo: Demo, root: Path) -> None:
    for path in root.glob("data/*/dvc.yaml"):
        assert f"{path.parent.name}-v1.0.0: released" in demo.said
        assert re.search(rf"{path.parent.name}-v1\.0\.0: (\d+) of \1 files .* verified", demo.said)
    for text in (
        "nothing: all stages are current",
        "emotion-v1.1.0: released",
        "emotion 1.0.0 → 1.1.0",
        '{"model": "wine-regressor/1"',
    ):
        assert text in demo.said
    assert "training   48 of 60 samples of wine-quality-v1.0.0" in demo.said
    assert "model     wine-regressor/1: was given it for training" in demo.said
    assert "1. fetcher" in demo.said, "the search finds who fetches"
    assert "test.parquet: same bytes as released" in demo.told
    assert f"  {(demo.site / 'index.html').as_uri()}\n" in demo.said and "make catalog-serve" in demo.said
    assert git(demo.clone, "status", "--porcelain") == ""
    assert git(demo.clone / ".demo/repo", "status", "--porcelain") == ""


def test_commands_work_in_its_clone_as_they_are(demo: Demo, tmp_path: Path) -> None:
    assert "The commands on its pages work in .demo/repo." in demo.said
    bare = {name: os.environ[name] for name in ("PATH", "HOME")}
    for arguments in (["get", "DS=emotion", "VERSION=1.0.0", f"OUT={tmp_path / 'got'}"], ["show", "DS=emotion"]):
        made = subprocess.run(
            ["make", *arguments], cwd=demo.clone / ".demo/repo", env=bare, text=True, capture_output=True
        )
        assert made.returncode == 0 and "environment" not in made.stderr, made.stderr
    assert (tmp_path / "got/processed/test/test.parquet").is_file()


def test_it_says_what_it_does_and_how_long_each_step_took(demo: Demo) -> None:
    titles = re.findall(r"^\[(\d+)/(\d+)\] \S", demo.told, re.MULTILINE)
    assert [int(number) for number, _ in titles] == [*range(1, len(titles) + 1)]
    assert {int(of) for _, of in titles} == {len(titles)}
    assert len(re.findall(r"^\(\d+\.\d s\)$", demo.told, re.MULTILINE)) == len(titles)


def test_its_output_has_no_escape_codes_where_nobody_sees_colours(demo: Demo) -> None:
    assert "\x1b" not in demo.told + demo.said


def test_its_catalogue_is_whole_quiet_and_for_everybody(demo: Demo, browser: Browser, root: Path) -> None:
    site = f"{demo.site.as_uri()}/"
    pages, wrong = problems(browser, site)
    assert wrong == []
    names = sorted(path.parent.name for path in root.glob("data/*/dvc.yaml"))
    assert set(pages) == {*(f"{site}datasets/{name}.html" for name in names), f"{site}index.html"}


def test_its_catalogue_tells_of_the_model_and_of_what_has_changed(demo: Demo, browser: Browser) -> None:
    site = f"{demo.site.as_uri()}/"
    with watched(browser, site) as (page, wrong):
        page.goto(f"{site}datasets/wine-quality.html")
        expect(page.locator("#lineage")).to_contain_text("training on 48 samples of 1.0.0")
        expect(page.locator("#lineage")).to_contain_text("make explain MODEL=wine-regressor/1 IDS=samples.csv")
        page.goto(f"{site}datasets/emotion.html")
        changes = page.locator("#versions .versions > li").first.locator(".chips li")
        assert changes.all_inner_texts() == ["2 added", "1 removed", "2 changed"]
        expect(page.locator(".hero")).to_contain_text("synthetic sample data")
        assert wrong == []
