"""No document makes the chunker slow: time grows with length only, and so does how often a model is asked."""

import gc
import itertools
import time

import pytest
from chunk_embed.chunks import ChunkSettings, chunk_document

SETTINGS = ChunkSettings(max_noise_ratio=1.0)  # so that nothing is dropped
FACTOR = 8  # by which the longer text is longer; time grows by more than thrice that, were it squared
NUMBERS = itertools.count()
STEEPEST = ("contents", "deep divisions", "definitions", "links not closed", "one word")  # for make test
UNITS = {
    "one word": "a",
    "hashes": "#",
    "empty headings": "#\n",
    "headings": "### a\n",
    "headings that introduce": "## a:\n\n",
    "underlined": "a\n===\n\n",
    "underlines": "a\n=\n",
    "spaces": " ",
    "lines": "\n",
    "blank lines with spaces": " \n",
    "angle brackets": "<",
    "tags not closed": "<a ",
    "links not closed": "<a>",
    "html headings not closed": "<h1>\n",
    "html headings in a line": "<h1>a</h1>",
    "deep divisions": "<div>",
    "tags over lines": "<img \n",
    "comments not closed": "<!--",
    "comments in a line": "a<!-- -->",
    "backticks": "`",
    "preformatted not closed": "<pre>\n",
    "preformatted": "<pre>a</pre>\n",
    "indented code": "    a\n\n",
    "indented": "a\n    b\n\n",
    "fences": "```a\n",
    "runs of backticks": "`a``b```c````d",
    "attributes not closed": "<a b='c\" ",
    "backticks in text": "x```\n",
    "brackets": "[",
    "images not closed": "![](",
    "badges not closed": "[![](a)",
    "images": "![a](//b/badges/badges/c)",
    "images by reference": "![a]",
    "images of HTML": "<img alt=a src=//b/badge.svg>",
    "images of HTML not closed": "<img alt= src= ",
    "types": "a<b>",
    "links within the page": "<a href=#b>c</a>",
    "links within the page not closed": "<a href href",
    "badge paths": "[a]: //b/badges/badges/badges\n![a]\n",
    "links": "[a](b) ",
    "contents": "- [a](#b)\n",
    "definitions": "[a]: b\n",
    "nested items": "- ",
    "quotes": ">",
    "pipes": "|",
    "rows": "|a|b|\n|-|-|\n",
    "marks": "\u0301",
    "joined emoji": "\U0001f468\u200d",
    "flags": "\U0001f1e9",
    "right to left": "שלום עולם. ",
    "Windows": "a b c.\r\n",
    "old Macintosh": "a b c.\r",
    "sentences": ". ",
    "parentheses": ")",
    "front matters": "---\na: b\n",
}


class Model:
    def __init__(self):
        self.asked = 0

    def __call__(self, text):
        self.asked += 1
        return len(text) <= 400


def seconds(texts):
    gc.collect()
    gc.disable()  # the collector goes over all that other tests have left
    try:
        began = time.process_time()
        for text in texts:
            chunk_document(text, SETTINGS, Model())
        return time.process_time() - began
    finally:
        gc.enable()


def text_of(unit, length):
    """Return a text of which none has been read before."""
    return f"# A\n\ntext {next(NUMBERS)} " + unit * (length // len(unit))


@pytest.mark.parametrize(
    "unit",
    [
        pytest.param(unit, id=name, marks=[pytest.mark.extended] * (name not in STEEPEST))
        for name, unit in UNITS.items()
    ],
)
def test_time_grows_with_length_only(unit):
    """A long text takes hardly more time than short ones that are as long together, whatever else this machine does."""
    for _ in range(3):
        parts = seconds([text_of(unit, 24_000) for _ in range(FACTOR)])
        if seconds([text_of(unit, FACTOR * 24_000)]) < 3 * max(0.01 * FACTOR, parts):
            return
    pytest.fail("it grows faster")


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_a_model_is_asked_a_few_times_for_each_chunk(unit):
    model = Model()
    found = chunk_document(unit * (60_000 // len(unit)), SETTINGS, model)
    assert model.asked <= 10 * len(found) + 60


def test_deep_lists_and_long_lines_are_cut_as_any_text():
    nested = "".join("  " * depth + f"- item {depth}\n" for depth in range(300))
    assert len(chunk_document(nested, ChunkSettings(chunk_overlap=0), Model())) > 10
    joined = "".join(chunk.text for chunk in chunk_document("x" * 100_000, ChunkSettings(chunk_overlap=0), Model()))
    assert joined == "x" * 100_000


@pytest.mark.slow
def test_fifty_megabytes_without_whitespace_are_cut():
    found = chunk_document("x" * 50_000_000, ChunkSettings(), lambda text: True)
    assert (found[0].start, found[-1].end) == (0, 50_000_000)
