"""The catalogue of 50 datasets with 5 versions each: how long it takes to write, and to search; ``run.py`` runs it."""

import re
import statistics
import time
from pathlib import Path

from bench.measuring import measure, tool_command
from e2e.browser import chromium
from e2e.catalog_world import make_catalog_world

DATASETS, VERSIONS, MANY = 50, 5, 1000
WORDS = ("a", "al", "alcohol", "alcohol 7", "no such thing", "")
# From a key to the picture after it: the first frame is asked for before, the second once that is painted.
SEARCH = """async word => {
  const query = document.getElementById("query"), started = performance.now();
  query.value = word;
  query.dispatchEvent(new Event("input", { bubbles: true }));
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - started;
}"""


def bench_catalog(folder: Path) -> None:
    """Measure the whole command, twice, and the index in a browser with its cards and with many."""
    world = make_catalog_world(folder, DATASETS, VERSIONS)
    for when in ("the first time", "again"):
        run = measure(*tool_command("catalog"), "build", folder=world.root, REGISTRY_ROOT=str(world.root))
        print(
            f"{f'catalogue, {DATASETS} x {VERSIONS} versions, {when}':<52}{run.seconds:8.2f} s{run.peak:32d} MB",
            flush=True,
        )
    index = world.root / "site" / "index.html"
    cards = re.compile(r'(<ul class="cards".*?>)(.*?</li>)\s*(</ul>\s*<p class="none")', re.DOTALL)
    many = index.with_name("many.html")
    many.write_text(cards.sub(lambda found: found[1] + found[2] * (MANY // DATASETS) + found[3], index.read_text()))
    with chromium() as browser:
        for place in (index, many):
            page = browser.new_page()
            started = time.perf_counter()
            page.goto(place.as_uri())
            opened = time.perf_counter() - started
            taken = [page.evaluate(SEARCH, word) for _ in range(5) for word in WORDS]
            count = page.locator("#cards > li").count()
            print(
                f"search among {count} datasets, a key to its picture: {statistics.median(taken):.0f} ms,"
                f" at most {max(taken):.0f}; opened in {1000 * opened:.0f} ms",
                flush=True,
            )


BENCHES = (bench_catalog,)
