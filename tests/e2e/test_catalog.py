"""The catalogue in a browser: of every form of dataset, of hostile ones, and of such as are broken or not released."""

import dataclasses
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from catalog.cli import cli
from click.testing import CliRunner
from conftest import git
from e2e.browser import chromium, problems, watched
from e2e.catalog_world import FORMS, Version, add, build, make_catalog_world, plain, table, texts
from playwright.sync_api import Browser, Page, expect
from unit.registry.lineage_world import TEXTS, Made, parquet, rows

RUNS = '<img src=x onerror="window.ran=1"></script></title><script>window.ran = 1</script>'
HOSTILE = f"{RUNS}'\"`{{{{7*7}}}} \N{RIGHT-TO-LEFT OVERRIDE}evil \x07 ${{x}} | or"
SHOWN = re.sub("[\x07\N{RIGHT-TO-LEFT OVERRIDE}]", "\N{REPLACEMENT CHARACTER}", HOSTILE)
LABELS = [f"label {number} {RUNS}" for number in range(25)]
README = f"""---
task_categories: ["{RUNS.replace('"', "'")}", 7]
---
# {RUNS}

{HOSTILE} <svg onload="window.ran=1"> [bad](javascript:window.ran=1) ![picture](https://example.org/spy.png)
[entity](javascript&#58;window.ran=1) <https://example.org/fine> [data](data:text/html,<script>window.ran=1</script>)
[unbuilt](../planned/README.md) [reference][1]

[1]: <javascript:window.ran=1> "{HOSTILE}"
"""
SPOILT = "---\ntask_categories: 2024-02-30\n---\n# Spoilt\n"


def hostile() -> Version:
    """Data whose every name and value would like to be HTML."""
    file = 'processed/train/it\'s "<b>x</b>" & y.parquet'
    made_rows = [(f"{HOSTILE} {number}", label) for number, label in enumerate(LABELS)]
    schema = TEXTS.set(1, TEXTS.field(1).with_name(f"label {RUNS}"))
    batch = rows(schema, made_rows)
    made = Made(schema, [], {file: parquet(batch)}, [(HOSTILE[:60], file, batch)])
    features: dict[str, Any] = {name: {"dtype": HOSTILE, "description": HOSTILE} for name in schema.names}
    features[schema.names[1]]["classes"] = LABELS
    counts = {f"label {RUNS}_distribution": dict.fromkeys(LABELS, 3)}
    metadata = {
        "schema": {"features": features},
        "splits": {HOSTILE: {"num_samples": 25, **counts}, "b": {"num_samples": 1, **counts}},
        "metrics": {HOSTILE: {HOSTILE: 1.5}},
        "checks": {
            "warnings": [HOSTILE],
            "missing": {HOSTILE: 2},
            "split_leaks": {RUNS: {"samples": 1, "ids": [RUNS]}},
        },
        "prompt": {"prompt_name": HOSTILE, "prompt_version": HOSTILE, "prompt_text": HOSTILE},
        "provenance": {
            "sample": False,
            "parents": [{"dataset": "javascript:window.ran=1//", "version": HOSTILE}],
            "tools": {RUNS: HOSTILE},
            "params": {RUNS: HOSTILE},
        },
    }
    return Version(made, metadata)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clone with its catalogue."""
    folder = tmp_path_factory.mktemp("catalog")
    world = make_catalog_world(folder)
    said = dict.fromkeys(("title", "description", "licence", "citation"), HOSTILE)
    changed = hostile()
    changed.made.parts[0] = (*changed.made.parts[0][:2], changed.made.parts[0][2].slice(1))
    said["licence"] = f"{HOSTILE}\nand more"
    croissant = json.dumps({"@type": "sc:Dataset", "description": HOSTILE}).encode()
    add(world, "hostile", [hostile(), changed], README, croissant, source="javascript:window.ran=1", **said)
    add(world, "bare", [plain(1, 1)], readme=None)
    add(world, "lost", [texts(9000, 0)])
    older = {"schema": {"features": {"alcohol": "float64"}}}  # as another tool wrote it
    add(world, "older", [dataclasses.replace(plain(3, 0), metadata=older), plain(3, 1)])
    for data in texts(9000, 0).made.files.values():
        world.object(hashlib.md5(data).hexdigest()).unlink()
    add(world, "halves", [dataclasses.replace(plain(4, 0), metadata={"dataset": {"title": "half \ud800"}})])
    add(world, "spoilt", [plain(5, 0), plain(5, 1)], SPOILT, b"{", without="dvc.lock")
    add(world, "gone", [plain(6, 0), plain(6, 1)])
    shutil.rmtree(world.root / "data" / "gone")
    git(world.root, "remote", "add", "origin", "ssh://git:secret@example.org/data_registry.git")
    build(world, "fresh", table(7, 0))
    (world.root / "data" / "planned").mkdir()
    (world.root / "data" / "planned" / "params.yaml").write_text("dataset: {title: Planned, licence: none}\n")
    (world.root / "data" / "planned" / "dvc.yaml").write_text("stages: {}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGISTRY_ROOT", str(world.root))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        done = CliRunner().invoke(cli, ["build"])
        assert done.exit_code == 42, done.output  # for what is left out of it
        assert " in all)" in done.output
        assert f"{len(NAMES)} datasets, {3 * len(FORMS) + 6} releases, " in done.output
        yield world.root


NAMES = sorted(
    [*(form.__name__ for form in FORMS), "hostile", "bare", "lost", "older", "halves", "spoilt", "fresh", "planned"]
)


@pytest.fixture(scope="module")
def site(root: Path) -> str:
    return f"{(root / 'site').as_uri()}/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """The index; whatever is done to it, it does not complain."""
    with watched(browser, site, viewport={"width": 1280, "height": 900}) as (found, wrong):
        found.goto(f"{site}index.html")
        yield found
        assert wrong == []


def shown(page: Page) -> list[str]:
    """The names on the cards that are to be seen.

    By their text content: the inner text of a card that the browser has not drawn yet (`content-visibility`) is empty.
    """
    return list(page.locator("#cards > li:visible .name").all_text_contents())


@pytest.mark.extended
def test_every_page_is_whole_quiet_and_for_everybody(browser: Browser, site: str) -> None:
    pages, wrong = problems(browser, site)
    assert wrong == []
    assert set(pages) == {*(f"{site}datasets/{name}.html" for name in NAMES), f"{site}index.html"}


@pytest.mark.extended
def test_it_is_served_on_this_machine(browser: Browser, root: Path) -> None:
    command = [sys.executable, "-c", "from catalog.cli import cli; cli()", "serve"]
    known = {**os.environ, "REGISTRY_ROOT": str(root), "PORT": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=known, text=True, stdout=subprocess.PIPE) as server:
        assert server.stdout
        address = server.stdout.readline().split()[0]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        try:
            pages, wrong = problems(browser, address, axe=False)
        finally:
            server.send_signal(signal.SIGINT)
        assert (len(pages), wrong) == (len(NAMES) + 1, [])
        assert server.wait() == 0


@pytest.mark.extended
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", NAMES),
        ("the images", ["images"]),
        ("alcohol", ["bare", "fresh", "older", "plain", "spoilt", "table"]),
        ("TASTERS", ["fresh", "table"]),
        ("fear", ["lost", "texts"]),
        ("1.2.0", sorted(form.__name__ for form in FORMS)),
        ("  grey   values ", ["images"]),
        ("val in train", ["lost", "texts"]),
        ("planned", ["planned"]),
        ("<b>", []),
        ("no such", []),
    ],
)
def test_search_finds_by_words_columns_labels_and_versions(page: Page, words: str, found: list[str]) -> None:
    page.get_by_label("Search").fill(words)
    assert shown(page) == found
    count = f"{len(found)} of {len(NAMES)} datasets" if len(found) < len(NAMES) else f"{len(NAMES)} datasets"
    expect(page.locator("#count")).to_have_text(count)


@pytest.mark.extended
def test_each_filter_and_what_they_find_together(page: Page) -> None:
    chosen = page.get_by_label("Kind")
    assert chosen.locator("option").all_inner_texts() == [
        *("any", "conversations", "documents", "images", "table", "texts", "vectors")
    ]
    chosen.select_option("table")
    assert shown(page) == ["bare", "fresh", "halves", "older", "plain", "spoilt", "table"]
    page.get_by_label("State").select_option("released")
    assert shown(page) == ["bare", "older", "plain", "spoilt", "table"]
    page.get_by_label("Search").fill("target quality")
    assert shown(page) == []
    page.get_by_label("Search").fill("quality mark")
    assert shown(page) == ["table"]
    for state, found in {
        "not released": ["fresh"],
        "not built": ["planned"],
        "unreadable": ["halves"],
        "with warnings": ["hostile", "lost", "texts"],
    }.items():
        page.goto(page.url.split("#")[0])
        page.reload()
        page.get_by_label("State").select_option(state)
        assert shown(page) == found
    page.get_by_label("State").select_option("")
    page.get_by_label("Task").select_option("text classification")
    assert shown(page) == ["documents", "lost", "texts"]
    page.get_by_label("Task").select_option("")
    page.get_by_label("Licence").select_option("none")
    assert shown(page) == ["planned"]
    page.get_by_label("Licence").select_option(" ".join(f"{SHOWN} and more".split()))
    assert shown(page) == ["hostile"]


@pytest.mark.extended
def test_nothing_found_is_said_and_can_be_undone(page: Page) -> None:
    page.get_by_label("State").select_option("not built")
    page.get_by_label("Search").fill("no such")
    expect(page.locator("#none")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    assert shown(page) == NAMES
    assert page.get_by_label("State").input_value() == ""
    expect(page.locator("#none")).to_be_hidden()
    expect(page.get_by_label("Search")).to_be_focused()


def test_the_address_keeps_what_was_asked(page: Page) -> None:
    page.get_by_label("Search").fill("thing 7 & more=1")
    page.get_by_label("Search").fill("thing 7")
    page.get_by_label("Kind").select_option("images")
    assert page.url.endswith("#q=thing+7&kind=images")
    page.reload()
    assert shown(page) == ["images"] and page.get_by_label("Kind").input_value() == "images"
    page.get_by_role("link", name="The images").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The images")
    page.go_back()
    assert shown(page) == ["images"] and page.get_by_label("Search").input_value() == "thing 7"
    page.goto(page.url.split("#")[0] + "#q=fear&kind=nothing-of-it")
    expect(page.get_by_label("Search")).to_have_value("fear")  # its event comes after the address
    assert shown(page) == ["lost", "texts"], "a value that no filter has is none"
    assert page.get_by_label("Kind").input_value() == ""
    page.get_by_role("link", name="Skip to the content").focus()
    page.keyboard.press("Enter")
    assert shown(page) == ["lost", "texts"], "skipping asks for nothing else"


@pytest.mark.extended
def test_the_keyboard_alone_is_enough(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("a/b")
    expect(page.get_by_label("Search")).to_have_value("a/b")
    page.get_by_label("Search").fill("")
    reached = []
    while True:
        page.keyboard.press("Tab")
        place, outline = page.evaluate(
            """() => {
              const here = document.activeElement;
              const seen = [getComputedStyle(here), getComputedStyle(here, "::after")];
              const outlined = seen.some(each => each.outlineStyle !== "none" && parseFloat(each.outlineWidth) >= 2);
              return [here.dataset?.filter ?? here.getAttribute("href") ?? here.localName, outlined];
            }"""
        )
        if place in {"body", "input"} or place in reached:
            break
        assert outline, f"the focus on {place} cannot be seen"
        reached.append(place)
    assert reached == ["kind", "task", "licence", "state", *(f"datasets/{name}.html" for name in NAMES)]
    page.locator("#cards a").last.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/vectors.html")
    details = page.locator("#versions details").first
    details.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(details.locator("table").first).to_be_visible()


@pytest.mark.extended
def test_without_scripts_all_is_there(browser: Browser, site: str) -> None:
    with watched(browser, site, java_script_enabled=False) as (page, wrong):
        page.goto(f"{site}index.html")
        assert shown(page) == NAMES
        expect(page.locator("#search")).to_be_hidden()
        page.locator("#cards a", has_text="The texts").click()
        for heading in page.locator("h2").all():
            expect(heading).to_be_visible()
        assert page.locator("button").count() == 0
        commands = page.locator("#use pre code").all_text_contents()
        assert commands[0].startswith("pip install ") and any(each.startswith("dvc get") for each in commands)
        assert page.locator(".first-rows:visible tbody tr").count() == 20, "of both splits"
        assert wrong == []


@pytest.mark.extended
def test_programs_are_copied_to_the_letter(browser: Browser, site: str) -> None:
    with watched(browser, site, permissions=["clipboard-read", "clipboard-write"]) as (page, wrong):
        page.goto(f"{site}datasets/texts.html")
        blocks = page.locator("#use .program")
        for number in range(blocks.count()):
            block = blocks.nth(number)
            block.get_by_role("button").click()
            expect(block.get_by_role("button")).to_have_text("Copied")
            assert page.evaluate("navigator.clipboard.readText()") == block.locator("code").text_content()
        assert number >= 5 and wrong == []


@pytest.mark.extended
def test_where_copying_is_refused_the_program_is_selected(browser: Browser, site: str) -> None:
    with watched(browser, site) as (page, wrong):
        page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error('refused'))")
        page.goto(f"{site}datasets/texts.html")
        block = page.locator("#use .program").first
        block.get_by_role("button", name="Copy: Install the Python client").click()
        expect(block.get_by_role("button")).to_have_text("Selected")
        assert page.evaluate("String(getSelection())") == block.locator("code").text_content()
        assert wrong == []


@pytest.mark.extended
def test_no_copying_is_offered_where_it_cannot_be_done(browser: Browser, site: str) -> None:
    with watched(browser, site) as (page, wrong):
        page.add_init_script("Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined })")
        page.goto(f"{site}datasets/texts.html")
        assert page.locator(".program").count() > 5 and page.locator(".program button").count() == 0
        assert wrong == []


@pytest.mark.extended
def test_paper_has_what_the_screen_has(page: Page, site: str) -> None:
    page.goto(f"{site}datasets/texts.html")
    page.emulate_media(media="print")
    for part in (
        "#samples table",
        "h1",
        ".facts",
        "#checks",
        "#schema table",
        "#plots svg",
        "#versions li",
        "#use pre",
    ):
        expect(page.locator(part).first).to_be_visible()
    for program in page.locator("#use pre").all():
        expect(program).to_be_visible()
    expect(page.locator(".contents")).to_be_hidden()
    expect(page.locator("#samples button").first).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.querySelector('.wide')).overflowX") == "visible"


@pytest.mark.extended
def test_nothing_moves_for_who_does_not_want_it(page: Page) -> None:
    scrolling = "getComputedStyle(document.documentElement).scrollBehavior"
    assert page.evaluate(scrolling) == "smooth"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(scrolling) == "auto"


@pytest.mark.extended
def test_hostile_data_is_text(browser: Browser, site: str) -> None:
    with watched(browser, site, viewport={"width": 390, "height": 844}) as (page, wrong):
        for address in ("index.html", "datasets/hostile.html"):
            page.goto(f"{site}{address}")
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert page.evaluate("window.ran") is None
            assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.locator("h1").text_content() == SHOWN
        assert re.sub(r"[\s\x07]+", " ", page.title()) == re.sub(r"[\s\x07]+", " ", f"{SHOWN} · Data registry")
        assert page.locator("main img[onerror], main svg[onload], main title").count() == 0
        (data,) = page.locator("main script").all_text_contents()
        assert "<" not in data and len(json.loads(data)["rows"]) == 25
        assert page.locator("#schema th code").all_text_contents() == ["text", f"label {RUNS}"]
        assert SHOWN in (page.locator("#samples table").text_content() or "")
        page.get_by_label("Filter rows").fill("LABEL 20 <img")
        expect(page.locator("#samples .count")).to_have_text("1 of 1 match in the first 25 of 26 rows")
        cells = page.locator("#samples tbody td").all_text_contents()
        assert cells == [f"{SHOWN} 20", f"label 20 {RUNS}"]
        assert page.locator("#samples tbody").inner_html().count("<img") == 0
        assert "6 others" in page.locator("#plots svg text").all_text_contents()
        assert (
            json.loads(page.locator("script[type='application/ld+json']").text_content() or "")["description"]
            == HOSTILE
        )
        assert HOSTILE.split()[0] in page.locator("#lineage li").first.inner_text()
        links = page.locator("a").evaluate_all("all => all.map(each => each.href)")
        assert {urlscheme.split(":")[0] for urlscheme in links} <= {"file", "https"}
        assert page.locator(".readme img").count() == 0
        assert page.get_by_role("link", name="unbuilt").get_attribute("href") == "planned.html"
        assert wrong == []


@pytest.mark.extended
def test_first_rows_are_paged_and_filtered(page: Page, site: str) -> None:
    page.goto(f"{site}datasets/texts.html")
    status = page.locator(".first-rows:visible .count")
    numbers = page.locator(".first-rows:visible tbody th")
    expect(status).to_have_text("1–10 of 60 rows")
    page.get_by_role("button", name="Previous").first.focus()
    page.keyboard.press("Enter")
    expect(status).to_have_text("1–10 of 60 rows")
    page.keyboard.press("Tab")
    for _ in range(9):
        page.keyboard.press("Enter")
    expect(status).to_have_text("51–60 of 60 rows")
    expect(page.get_by_role("button", name="Next").first).to_be_focused()
    assert numbers.all_text_contents() == [str(number) for number in range(50, 60)]
    page.get_by_label("Filter rows").first.fill("JOY text 1")
    expect(status).to_contain_text("matches in 60 rows")
    for row in page.locator(".first-rows:visible tbody tr").all():
        assert {"joy", "text 1"} <= {part for part in ("joy", "text 1") if part in row.inner_text()}
    page.get_by_label("Filter rows").first.fill("no such row")
    expect(status).to_have_text("No match in 60 rows")
    page.get_by_role("combobox", name="Split").select_option("val")
    expect(status).to_have_text("1–10 of 12 rows")
    assert page.locator(".first-rows:visible").count() == 1


@pytest.mark.extended
def test_captioned_images_are_in_the_table(page: Page, site: str) -> None:
    page.goto(f"{site}datasets/captioned.html")
    images = page.locator("#samples tbody tr td:first-of-type img")
    assert images.count() == page.locator("#samples tbody tr").count() > 1
    assert page.locator("#samples .sheet").count() == 0


@pytest.mark.extended
def test_a_page_begins_with_samples_and_how_to_use_them(page: Page, site: str) -> None:
    page.goto(f"{site}datasets/texts.html")
    ids = page.locator("main section").evaluate_all("all => all.map(each => each.id)")
    assert ids == ["samples", "use", "schema", "checks", "plots", "lineage", "versions", "about"]
    assert page.locator("#use figcaption span").first.inner_text() == "Install the Python client"
    for program in page.locator("#use pre").all():
        expect(program).to_be_visible()
    assert page.locator("#checks .warn").all_inner_texts() == [
        "2 of 70 samples have the same text as another that differs",
        "samples of val that are in train too: 3",
    ]
    assert page.locator("#checks svg").count() == 0


@pytest.mark.extended
def test_the_index_says_what_it_was_built_from_and_what_is_incomplete(page: Page, root: Path) -> None:
    commit, time = (
        git(root, "show", "-s", "--format=%H %cd", "--date=format:%Y-%m-%d %H:%M", "HEAD").strip().split(" ", 1)
    )
    built = page.locator("#built")
    expect(built).to_contain_text(f"Built from commit {commit[:12]} of {time} UTC.")
    expect(built).to_contain_text(f"{3 * len(FORMS) + 6} of {3 * len(FORMS) + 9} releases were read.")
    expect(page.locator("li", has_text="Incomplete: older-v1.0.0")).to_be_visible()


@pytest.mark.extended
def test_one_broken_dataset_breaks_no_other(page: Page, site: str) -> None:
    page.goto(f"{site}datasets/lost.html")
    expect(page.locator(".note")).to_contain_text("could not be read")
    expect(page.locator("#schema table").first).to_be_visible()
    page.goto(f"{site}datasets/older.html")
    expect(page.locator(".note")).to_contain_text("1.0.0 is left out: older-v1.0.0 metadata.json: invalid: schema")
    assert page.locator("#versions .versions > li h3").all_inner_texts() == ["1.1.0"]
    page.goto(f"{site}datasets/spoilt.html")
    expect(page.locator(".note").first).to_contain_text(
        "1.0.0 is left out: spoilt-v1.0.0: data/spoilt/dvc.lock not found"
    )
    expect(page.locator(".note", has_text="croissant.json is left out: invalid JSON")).to_be_visible()
    page.goto(f"{site}datasets/halves.html")
    expect(page.locator(".note").first).to_contain_text("halves-v1.0.0 metadata.json: invalid JSON")
    page.goto(f"{site}datasets/fresh.html")
    expect(page.locator("#use")).to_contain_text("make release DS=fresh")
    assert page.locator("#use figcaption span").all_inner_texts() == ["pandas", "PyTorch", "Ray Data", "Hugging Face"]
    page.goto(f"{site}datasets/planned.html")
    expect(page.locator("#use")).to_contain_text("make dataset DS=planned")


@pytest.mark.extended
def test_every_version_says_what_it_changed(page: Page, site: str) -> None:
    page.goto(f"{site}datasets/texts.html")
    versions = page.locator("#versions .versions > li")
    assert versions.locator("h3").all_inner_texts() == ["1.2.0", "1.1.0", "1.0.0"]
    assert versions.first.locator(".chips li").all_inner_texts() == ["3 added", "2 removed", "1 changed"]
    versions.first.locator("summary").click()
    expect(versions.first).to_contain_text("71 samples before, 72 now")
    changed = versions.first.locator("h4", has_text="changed").locator("+ ul .values")
    assert [text.split("label\n")[1] for text in changed.all_inner_texts()] == ["fear → joy"], "what differs"
    expect(changed.first).to_contain_text("text 30")
    expect(changed.first.locator("del, ins")).to_have_count(2)
    added = versions.first.locator("h4", has_text="added").locator("+ ul .values").first
    expect(added.locator("ins")).to_have_count(2)
    expect(added.locator("del")).to_have_count(0)


@pytest.mark.extended
def test_releases_of_what_is_gone_are_named(page: Page) -> None:
    expect(page.get_by_text("no longer in data/")).to_have_text("Released, but no longer in data/: gone 1.0.0, 1.1.0.")


@pytest.mark.extended
def test_programs_name_the_registry_without_its_password(root: Path) -> None:
    for page in (root / "site").rglob("*.html"):
        assert "secret" not in page.read_text(encoding="utf-8")
    assert "ssh://git@example.org/data_registry.git" in (root / "site" / "datasets" / "texts.html").read_text()


@pytest.mark.extended
def test_the_same_registry_gives_the_same_bytes_and_a_failure_leaves_them(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def site() -> dict[str, bytes]:
        """What is there, but for the page that names one of several lost objects."""
        files = [path for path in (root / "site").rglob("*") if path.is_file() and path.name != "lost.html"]
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}

    before = site()
    assert CliRunner().invoke(cli, ["build"]).exit_code == 42
    assert site() == before
    monkeypatch.setattr("catalog.site.index_html", lambda *_: 1 / 0)
    assert CliRunner().invoke(cli, ["build"]).exit_code == 1
    assert site() == before
    assert not list(root.glob(".site*"))
