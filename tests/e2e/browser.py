"""Chromium, and what is wrong with the pages of a site that it opens."""

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urldefrag, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
SIZES = ((1280, 900), (390, 844))  # a laptop and a phone
SCHEMES = ("light", "dark")
HEEDED = {"serious", "critical"}
# What a page looks like is measured twice, what it is made of once. Style sheets are not fetched again.
AXE: tuple[dict[str, Any], ...] = (
    {"preload": False},
    {"preload": False, "runOnly": ["color-contrast", "scrollable-region-focusable"]},
)
OPEN = "document.querySelectorAll('details').forEach(each => { each.removeAttribute('name'); each.open = true; })"
# Every place that a page names, as the browser resolves it: [what names it, address].
PLACES = """all => all.map(each => {
  const place = each.getAttribute("href") ?? each.getAttribute("src");
  return [each.localName, new URL(place, document.baseURI).href];
})"""
# Lazy ones too; [address] of those that cannot be shown.
BROKEN = """async all => {
  const broken = [];
  for (const each of all) {
    each.loading = "eager";
    await each.decode().catch(() => broken.push(each.src));
  }
  return broken;
}"""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser without a window; skip the test where the machine has none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(NAMES)} is on the PATH: apt-get install chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # which Chromium refuses to root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched(browser: Browser, site: str, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """Yield a page, and what the browser complains of in it: messages, errors, requests beyond the site."""
    context = browser.new_context(**options)
    page, wrong = context.new_page(), list[str]()

    def message(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            wrong.append(f"{page.url}: console: {said.text}")

    def request(asked: Request) -> None:
        if not asked.url.startswith((site, "data:")):
            wrong.append(f"{page.url}: asks for {asked.url}")

    def failed(asked: Request) -> None:
        if asked.failure != "net::ERR_ABORTED":  # by leaving the page
            wrong.append(f"{page.url}: cannot load {asked.url}: {asked.failure}")

    def dialog(opened: Dialog) -> None:
        wrong.append(f"{page.url}: dialog: {opened.message}")
        opened.dismiss()

    page.on("console", message)
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on("request", request)
    page.on("requestfailed", failed)
    page.on("dialog", dialog)
    try:
        yield page, wrong
    finally:
        context.close()


def problems(browser: Browser, site: str, axe: bool = True) -> tuple[list[str], list[str]]:
    """Open each page that can be reached from a site's index; return their addresses, and what is wrong with them.

    A page must be quiet, ask for nothing elsewhere, fit laptop and phone, name only what is there, and have nothing
    that axe calls serious, light or dark, with all details open.
    """
    ids: dict[str, set[str]] = {}
    named: dict[str, str] = {}
    ahead = [f"{site}index.html"]
    with watched(browser, site) as (page, wrong):
        while ahead:
            address = ahead.pop()
            page.goto(address)
            ids[address] = set(page.eval_on_selector_all("[id]", "all => all.map(each => each.id)"))
            wrong += [f"{address}: broken image {each}" for each in page.eval_on_selector_all("img", BROKEN)]
            for tag, place in page.eval_on_selector_all("[href], [src]", PLACES):
                inside = place.startswith(site)
                if not inside and not (tag == "a" and urlsplit(place).scheme in {"http", "https", "mailto"}):
                    wrong.append(f"{address}: leads to {place}")
                target = urldefrag(place).url
                if inside and target.endswith(".html") and target not in {*ids, *ahead}:
                    ahead.append(target)
                if inside:
                    named.setdefault(place, address)
            page.evaluate(OPEN)
            wrong += [f"{address}: {each}" for each in _looks(page, axe)]
    wrong += [f"{named[place]}: names {place}, which is not there" for place in named if not _is_there(place, ids)]
    return sorted(ids), wrong


def _looks(page: Page, axe: bool) -> Iterator[str]:
    for (width, height), scheme, options in zip(SIZES, SCHEMES, AXE, strict=True):
        page.set_viewport_size({"width": width, "height": height})
        if (wider := page.evaluate(WIDER)) > 0:
            yield f"is {wider} pixels wider than {width}"
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        if not axe:
            continue
        for found in Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]:
            if found["impact"] in HEEDED:
                where = [" ".join(node["target"]) for node in found["nodes"]]
                yield f"{scheme}, {width} wide: {found['id']}: {found['help']}: {where[:3]}"


def _is_there(place: str, ids: dict[str, set[str]]) -> bool:
    address, fragment = urldefrag(place)
    if address in ids:
        return not fragment or fragment in ids[address]
    try:
        with urllib.request.urlopen(address) as answer:
            return bool(answer.read())
    except urllib.error.URLError:
        return False
