"""Chunks of any document: they cover it, fit the model, keep to their size, and are cut where a reader would cut."""

import dataclasses
import itertools
import re

import pytest
from chunk_embed.chunks import ChunkSettings, chunk_document, left_out_characters, model_input
from hypothesis import example, given
from hypothesis import strategies as st
from stage.errors import UsageError

SMALL = ChunkSettings(chunk_size=120, chunk_overlap=30, min_chunk_size=20)
CLUSTERS = [
    "a",
    "漢",
    "e\u0301\u0327",  # two combining marks
    "👍🏽",  # a skin tone
    "👩\u200d👩\u200d👧",  # a family
    "❤\ufe0f",  # a variation selector
    "1\ufe0f\u20e3",  # a keycap
    "🇩🇪",  # a flag of two letters
    "🏴\U000e0067\U000e0062\U000e007f",  # a flag of tags
    "नि",  # a vowel sign
    "क्ष",  # a conjunct
    "\u1100\u1161\u11a8",  # a syllable of three letters
    "\u1112\uac00",
]
MARKDOWN = ["# A", "## B", "### C", "A\n===", "<h2>D</h2>", "```\ncode\n", "```", "~~~", "| a | b |\n| - | - |"]
LINES = [
    "- item",
    "1. item",
    "> quote",
    "| c | d |",
    "---",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    "  ",
    "[a](#b)",
    "[![a](b)](c)",
]
PARTS = [
    "<!--",
    "-->",
    "<div>",
    "</p",
    "<br>",
    "`",
    "**b:**",
    "A sentence. One! ",
    "word " * 40,
    "x" * 300,
    "└── ",
    "\u2028",
]
PIECES = st.sampled_from(MARKDOWN + LINES + PARTS)
TEXTS = st.lists(PIECES | st.text(max_size=40) | st.sampled_from(CLUSTERS), max_size=40).map("".join)
SETTINGS = st.builds(
    ChunkSettings,
    chunk_size=st.integers(1, 400),
    chunk_overlap=st.integers(0, 100),
    min_chunk_size=st.integers(0, 60),
    max_noise_ratio=st.sampled_from([0.0, 0.3, 1.0]),
    headings=st.booleans(),
).map(lambda each: dataclasses.replace(each, **sound(each)))


def sound(settings):
    return {
        "chunk_overlap": min(settings.chunk_overlap, settings.chunk_size // 2),
        "min_chunk_size": min(settings.min_chunk_size, settings.chunk_size),
    }


class Model:
    """Takes so many words, or characters of a long word, and counts how often it was asked."""

    def __init__(self, tokens):
        self.tokens, self.asked = tokens, 0

    def __call__(self, text):
        self.asked += 1
        return sum(1 + len(word) // 4 for word in re.findall(r"\w+|[^\w\s]", text)) <= self.tokens


def visible(text):
    return [place for place, character in enumerate(text) if not character.isspace()]


def is_part(text, whole):
    """Say whether the characters of a text, whitespace aside, are in the other in their order."""
    rest = iter(whole)
    return all(character in rest for character in text if not character.isspace())


@given(TEXTS, SETTINGS, st.integers(2, 80))
@example("```\n" + "a\n" * 300, SMALL, 80)
@example("0:" + "word " * 40, ChunkSettings(150, 0, 0), 2)
@example("a" + " " * 1000 + "b", SMALL, 80)
@example("a\n" + " " * 1000 + "b", SMALL, 80)
@example("```\n" + " " * 1000 + "b\n```", SMALL, 80)
def test_chunks_of_anything_are_parts_of_it_in_order_that_fit(text, settings, tokens):
    model = Model(tokens)
    found = chunk_document(text, settings, model)
    assert found == chunk_document(text, settings, Model(tokens))
    for chunk in found:
        assert 0 < len(chunk.text) <= settings.chunk_size
        assert chunk.text.strip()
        assert model(model_input(chunk.text, chunk.context))
        assert is_part(chunk.text, text[chunk.start : chunk.end])
    for before, after in itertools.pairwise(found):
        assert before.start < after.start
        assert before.end < after.end


@given(st.text("ab .\n!,", max_size=2000), SETTINGS, st.integers(2, 60))
def test_plain_text_is_covered_and_neighbours_overlap_as_far_as_they_may(text, settings, tokens):
    settings = dataclasses.replace(settings, max_noise_ratio=1.0)
    found = chunk_document(text, settings, Model(tokens))
    covered = {place for chunk in found for place in range(chunk.start, chunk.end)}
    assert covered >= set(visible(text))
    assert all(before.end - after.start <= settings.chunk_overlap for before, after in itertools.pairwise(found))


SAID = ["{}", "# {}", "{}\n---", "<h3>{}</h3>", "- {}\n- {}", "| {} | {} |\n| --- | --- |\n| {} | {} |", "**{}:**"]
ENCLOSED = ["```sh\n{}\n\n{}\n```", "<p>\n  {}<br>{}\n</p>", "> {}\n> {}", "![{}](x.png)", "{} {}. {} {}!\n{} {}"]
SIGNS = [
    "```\n┌──┐{}└──┘═══╗\n```",
    "├── {}\n└── {}",
    "│ {} │───▶│ {} │",
    "∀{}∈A: {}≥0",
    "✅ {} ❌ {}",
    "┌──┐\n│{}│\n└──┘",
]
MARKUP = [
    '<a href="https://example.org/x">{} {}</a>',
    '<li><a href="https://example.org/x">{}</a></li>',
    "[![{}](docs/badge-{}x.png)](https://example.org)",
    '<img src="docs/badge.svg" alt="{}">',
    "![{}](a.png)![{}](b.png)",
    "![{}](a.png)<b>{}</b>![{}](b.png)",
    "# {} [![no{}](https://img.shields.io/b.svg)][3]",
    "Map<Object> {} List<Section>{}",
    "[{}]: {} {}",
    "[^{}]: {}",
    "[{}][{}]",
    "{} <!-- no{} --> {}",
    "<details><summary>{}</summary>\n{}\n</details>",
    "<table><tr><td>{}</td><td>{}</td></tr></table>",
    "שלום {} مرحبا {}",
    "{} &amp; {} &lt;{}&gt;",
    "- [ ] {}\n- [x] {}",
    "<{}> `<{}>` ``{}``",
    "Text {}.\n\n    {}\n    ───\n    <b>{}</b> <!-- {} -->\n\nText.",
]
LEFT_OUT = [
    "<!-- no{} -->",
    "[![no{}](https://img.shields.io/a)](b)",
    "[![no{}](https://github.com/a/b/actions/workflows/no{}.yml/badge.svg)][no{}]",
    '<img alt="no{}" src="https://badge.fury.io/no{}.svg">',
    "- [no{}](#a)",
    '<p align="right">(<a href="#no{}">no{}</a>)</p>',
    "[no{}]: a",
    "[no{}]: a 'no{}'",
]
BLOCKS = st.sampled_from(SAID + ENCLOSED + SIGNS + MARKUP + LEFT_OUT)


@given(st.lists(BLOCKS, max_size=25), SETTINGS, st.integers(20, 80))
def test_every_word_is_in_a_chunk_and_what_was_left_out_in_none(blocks, settings, tokens):
    settings = dataclasses.replace(settings, chunk_size=max(40, settings.chunk_size), max_noise_ratio=0.3)
    numbers = itertools.count(100)
    text = "\n\n".join(re.sub(r"\{\}", lambda _: f"w{next(numbers)}", block) for block in blocks)
    found = chunk_document(text, settings, Model(tokens))
    words = {word for chunk in found for word in re.findall(r"\w+", chunk.text)}
    assert words >= set(re.findall(r"(?<![a-z0-9-])w\d+", text))
    assert not {word for word in words if word.startswith("now")}


@given(TEXTS)
def test_all_that_is_in_no_chunk_is_counted(text):
    found = chunk_document(text, ChunkSettings(chunk_overlap=0), lambda text: True)
    counted = sum(left_out_characters(text, ChunkSettings()).values())
    assert counted == len(visible(text)) - sum(len(visible(chunk.text)) for chunk in found)


@example(["🇩🇪"] * 200, 21, 20, False)
@example(["🇩🇪"] * 200, 45, 9, True)
@given(st.lists(st.sampled_from(CLUSTERS), max_size=200), st.integers(20, 60), st.integers(4, 20), st.booleans())
def test_what_a_reader_sees_as_one_character_is_never_cut(clusters, size, tokens, overlap):
    text = "".join(clusters)
    settings = ChunkSettings(size, size // 3 * overlap, 0, max_noise_ratio=1.0)
    boundaries = {0, *itertools.accumulate(len(cluster) for cluster in clusters)}
    found = chunk_document(text, settings, Model(tokens))
    assert {place for chunk in found for place in (chunk.start, chunk.end)} <= boundaries
    assert {place for chunk in found for place in range(chunk.start, chunk.end)} == set(range(len(text)))


def test_one_character_longer_than_a_chunk_is_cut_all_the_same():
    text = "e" + "\u0301" * 1000
    found = chunk_document(text, dataclasses.replace(SMALL, chunk_overlap=0), lambda text: True)
    assert "".join(chunk.text for chunk in found) == text


def test_a_link_that_is_cut_is_more_words_for_a_model_and_fits_all_the_same():
    text, link = "word text and. `x` word text and. word word ", "[some words here](https://host/a/b/c/d/e/f)"
    model = Model(27)
    found = chunk_document(f"{text}{link} word `x` word ", ChunkSettings(64, 0, 20), model)
    assert all(model(model_input(chunk.text, chunk.context)) for chunk in found)


def test_a_model_that_takes_nothing_is_an_error():
    with pytest.raises(UsageError, match="model: not even one character fits; fix: raise max-tokens, or use another"):
        chunk_document("Text.", SMALL, lambda text: False)


PROSE = "One sentence is here. Another one follows it! And is there a third? There is.\n"


def test_prose_is_cut_between_sentences_and_repeats_whole_ones():
    found = chunk_document(PROSE * 6, SMALL, Model(99))
    sentences = set(re.findall(r"[A-Z][^.!?]*[.!?]", PROSE))
    assert all(set(re.findall(r"\S[^.!?]*[.!?]?", chunk.text)) <= sentences for chunk in found)
    assert all(before.end > after.start for before, after in itertools.pairwise(found))


def test_without_sentences_it_is_cut_between_words():
    text = " ".join(f"word{number}" for number in range(200))
    found = chunk_document(text, SMALL, Model(99))
    assert {word for chunk in found for word in chunk.text.split()} == set(text.split())


def test_sections_are_chunks_of_their_own_and_repeat_nothing_of_another():
    found = chunk_document(f"# A\n\n{PROSE}\n## B\n\n{PROSE}\n### C\n\n{PROSE}\n# D\n\n{PROSE}", SMALL, Model(99))
    assert [chunk.text for chunk in found] == [f"{mark}\n\n{PROSE.strip()}" for mark in ("# A", "## B", "### C", "# D")]


def test_a_chunk_ends_before_a_heading_rather_than_after_a_block_below_it():
    document = f"## A\n\n### B\n\n{PROSE}\n### C\n\nFirst.\n\nSecond.\n\n{PROSE}"
    found = chunk_document(document, dataclasses.replace(SMALL, chunk_size=140), Model(99))
    assert [(chunk.text.split()[-1], chunk.h3) for chunk in found] == [("is.", "B"), ("is.", "C")]


def test_small_sections_join_a_neighbour_under_the_same_heading_and_no_other():
    found = chunk_document(f"# A\n\n## B\n\nb\n\n## C\n\n{PROSE}\n# D\n\n## E\n\ne\n", ChunkSettings(), Model(99))
    assert [(chunk.text.split()[-1], chunk.h1, chunk.h2) for chunk in found] == [("is.", "A", None), ("e", "D", "E")]
    assert len(chunk_document("# A\n\na\n\n# B\n\nb\n", ChunkSettings(), Model(99))) == 1


def test_the_rest_of_a_section_is_not_left_as_a_small_chunk():
    settings = ChunkSettings(chunk_size=100, chunk_overlap=0, min_chunk_size=30)
    for length in range(90, 140):
        found = chunk_document("a " * (length // 2), settings, Model(999))
        assert min(len(chunk.text) for chunk in found) >= 29


def test_a_heading_stays_with_what_it_introduces():
    for length in range(20, 120):
        found = chunk_document(f"{'a ' * length}\n\n#### B\n\n{'c ' * 30}\n", SMALL, Model(999))
        assert not [chunk for chunk in found if chunk.text.endswith("B")]


def test_a_model_is_given_words_under_their_headings():
    document = (
        "# A\n\n## B 🚀\n\n**Bold** `code` [link](https://host) | ──► a\n\n```sh\nrun --it\n```\n\n### C\n\n" + PROSE
    )
    found = chunk_document(document, dataclasses.replace(SMALL, headings=True, chunk_size=140), Model(99))
    assert [model_input(chunk.text, chunk.context) for chunk in found] == [
        "A B Bold code link a run --it",
        f"A B: C {PROSE.strip()}",
    ]
    bare = chunk_document(document, dataclasses.replace(SMALL, headings=False, chunk_size=140), Model(99))
    assert [model_input(chunk.text, chunk.context) for chunk in bare] == [
        "A B Bold code link a run --it",
        f"C {PROSE.strip()}",
    ]


def test_the_heading_before_a_section_is_not_above_it():
    document = f"# A\n\n{PROSE}\n## B\n\n{PROSE}\n## C\n\n{PROSE}"
    found = chunk_document(document, dataclasses.replace(SMALL, headings=True), Model(99))
    assert [chunk.context for chunk in found] == ["", "A", "A"]


def test_a_model_is_given_marks_where_there_are_no_words():
    (chunk,) = chunk_document("→ → →", ChunkSettings(max_noise_ratio=1.0), Model(99))
    assert model_input(chunk.text, chunk.context) == "→ → →"


def test_headings_that_leave_no_room_are_not_given():
    document = f"# {'long ' * 30}\n\n## B\n\n{PROSE}"
    model = Model(40)
    found = chunk_document(document, dataclasses.replace(SMALL, headings=True), model)
    assert {chunk.context for chunk in found} == {""}
    assert all(model(model_input(chunk.text, chunk.context)) for chunk in found)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"chunk_size": 0}, "params.yaml: invalid chunk-size 0; fix: set it to 1 or more"),
        (
            {"chunk_size": 300, "chunk_overlap": 151},
            "params.yaml: invalid chunk-overlap 151; fix: set it to a number from 0 to half of chunk-size",
        ),
        ({"chunk_overlap": -1}, "params.yaml: invalid chunk-overlap -1; fix: "),
        ({"min_chunk_size": 5000}, "params.yaml: invalid min-chunk-size 5000; fix: "),
        ({"max_noise_ratio": 1.5}, "params.yaml: invalid max-noise-ratio 1.5; fix: set it to a number from 0 to 1"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(settings, message):
    with pytest.raises(UsageError) as error:
        ChunkSettings(**settings).check("params.yaml")
    assert str(error.value).startswith(message)
