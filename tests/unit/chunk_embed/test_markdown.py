"""What Markdown says and what it is laid out with: one goes into chunks, with its headings, the other does not."""

import pytest
from chunk_embed.chunks import ChunkSettings, chunk_document, left_out_characters

SETTINGS = ChunkSettings()


def chunks(document, **settings):
    return chunk_document(document, ChunkSettings(**settings), lambda text: True)


def said(document, **settings):
    return "\n".join(chunk.text for chunk in chunks(document, **settings))


def headings(document, **settings):
    return [(chunk.h1, chunk.h2, chunk.h3) for chunk in chunks(document, min_chunk_size=0, **settings)]


@pytest.mark.parametrize(
    ("markdown", "title"),
    [
        ("# Title", "Title"),
        ("   #\tTitle  ##  ", "Title"),
        ("# C#", "C#"),
        ("Title\n===", "Title"),
        ("A *title*\nof two lines\n=====", "A title of two lines"),
        ('<h1 align="center">Title</h1>', "Title"),
        ("<H1>\n  Title\n  of two lines\n</H1>", "Title of two lines"),
        ('<div align="center"><h1>Title</h1></div>', "Title"),
        ('# Title <a id="title"></a>', "Title"),
        ("# Title {#anchor}", "Title"),
        ("# [Title](#there) of `code`", "Title of code"),
        ("# ![logo](logo.svg) Title", "logo Title"),
        ("# 🚀 Title", "🚀 Title"),
        ("# Q &amp; A", "Q & A"),
        ("\ufeff# Title", "Title"),
    ],
)
def test_a_heading_is_found_however_it_is_written(markdown, title):
    assert headings(f"{markdown}\n\nText.\n") == [(title, None, None)]


@pytest.mark.parametrize(
    "markdown",
    [
        "#Title",
        "    # Title",
        "- Title\n---",
        "> # Title",
        "`<h1>Title</h1>`",
        "<h1>Title",
        "\\# Title",
        "Title\n-",
        "Text <!-- a --># Title",
        f"{'word ' * 100}\n---",
    ],
)
def test_what_only_looks_like_a_heading_is_none(markdown):
    assert headings(f"{markdown}\n\nText.\n") == [(None, None, None)]


def test_headings_hold_until_the_next_of_their_level():
    document = "# A\n\na\n\n## B\n\nb\n\n### C\n\nc\n\n## D\n\nd\n\n# E\n\ne\n"
    found = {chunk.text.split()[-1]: (chunk.h1, chunk.h2, chunk.h3) for chunk in chunks(document, min_chunk_size=0)}
    assert found == {"a": ("A", None, None), "c": ("A", "B", None), "d": ("A", "D", None), "e": ("E", None, None)}


def test_a_chunk_has_the_headings_that_hold_for_all_of_it():
    one, two = "one " * 30, "two " * 30
    assert headings(f"## A\n\n### B\n\n{one}\n") == [(None, "A", "B")]
    assert headings(f"## A\n\n### B\n\n{one}\n\n### C\n\n{two}\n") == [(None, "A", None)]
    assert headings(f"## A\n\n### B\n\n{one}\n\n### C\n\n{two}\n", chunk_size=200) == [
        (None, "A", "B"),
        (None, "A", "C"),
    ]


@pytest.mark.parametrize("mark", ["```", "~~~", "`````", "   ```", "> ```", "- ```"])
def test_in_code_nothing_is_markup(mark):
    code = f"{mark}sh\n# no heading\n<!-- no comment -->\n<div>\n---\n[![badge](a)](b)\n{mark.replace('-', ' ')}"
    found = chunks(f"# A\n\n{code}\n\n# B\n\nText.\n", min_chunk_size=0)
    assert [(chunk.h1, code in chunk.text) for chunk in found] == [("A", True), ("B", False)]


def test_in_indented_code_nothing_is_markup():
    code = "    # no heading\n    <!-- no comment -->\n\n\t<div>![badge](https://img.shields.io/a.svg)\n    ───"
    assert [(chunk.h1, code in chunk.text) for chunk in chunks(f"# A\n\n{code}\n\nText.\n")] == [("A", True)]
    assert left_out_characters(f"Text:\n\n{code}\n", SETTINGS) == {}


@pytest.mark.parametrize(
    "before", ["- item\n\n", "1. item\n  - more\n\n", "A line that goes on\n", "<p>\n", "* a\n\n  b\n\n"]
)
def test_what_is_indented_for_another_reason_is_no_code(before):
    assert "no" not in said(f"{before}    word <!-- no -->\n").split()


def test_preformatted_html_stays_as_it_is():
    pre = '<pre class="x">\n┌──┐\n│ <b>a</b>│ <!-- b -->\n\n# no heading\n└──┘\n</pre> end'
    assert said(f"# A\n\n{pre}\n\nText.\n") == f"# A\n\n{pre}\n\nText."
    assert said("<pre>\n\n# A <b>b</b>\n") == "# A b"


def test_a_fence_is_closed_by_one_of_its_kind_that_is_as_long():
    assert headings("````\n```\n# A\n~~~\n# B\n`````\n# C\n\nText.\n")[-1] == ("C", None, None)
    assert len(headings("````\n```\n# A\n~~~\n# B\n`````\n# C\n\nText.\n")) == 2


def test_code_within_a_line_opens_no_fence():
    assert headings("```a``` is code.\n\n# A\n\nText.\n")[-1] == ("A", None, None)


def test_a_fence_that_is_not_closed_goes_on_to_the_end():
    document = "# A\n\n```\n# no heading\n\n- text\n\n## none\n"
    assert headings(document) == [("A", None, None)]
    assert "## none" in said(document)


def test_code_and_tables_are_not_cut_where_they_fit():
    text, code, table = (
        "Words and more. " * 12,
        "```\n" + "code\n\n" * 12 + "```",
        "| a | b |\n| - | - |\n" + "| c | d |\n" * 8,
    )
    for figure in (code, table.strip()):
        found = chunks(f"# A\n\n{text}\n\nAs follows:\n\n{figure}\n\n{text}\n", chunk_size=250, chunk_overlap=0)
        whole = [chunk.text for chunk in found if figure in chunk.text]
        assert len(whole) == 1
        assert "As follows:" in whole[0]


def test_code_begins_a_chunk_where_it_fits_only_alone():
    code = "```\n" + "some(code)\n" * 12 + "```"
    found = chunks(f"A short text, and then this.\n\n{code}\n", chunk_size=150, chunk_overlap=0, min_chunk_size=20)
    assert [chunk.text for chunk in found] == ["A short text, and then this.", code]


def test_code_that_does_not_fit_is_cut_between_lines():
    code = "```\n" + "".join(f"line_{number} = {number}\n" for number in range(99)) + "```"
    found = chunks(code, chunk_size=300, chunk_overlap=40)
    lines = {line for chunk in found for line in chunk.text.splitlines()}
    assert len(found) == 5
    assert lines == set(code.splitlines())


def test_lines_of_code_keep_their_indentation_where_a_chunk_begins():
    code = "```\n" + "".join(f"    line_{number}()\n" for number in range(99)) + "```"
    for overlap in (0, 60):
        found = chunks(code, chunk_size=200, chunk_overlap=overlap)
        assert all(chunk.text.startswith("    line_") for chunk in found[1:])


def test_tables_are_cut_between_rows():
    table = "| n | square |\n| --- | --- |\n" + "".join(f"| {number} is. So | {number**2} |\n" for number in range(99))
    lines = {line for chunk in chunks(table, chunk_size=200, chunk_overlap=50) for line in chunk.text.splitlines()}
    assert lines == set(table.splitlines())


def test_rows_longer_than_the_overlap_are_not_repeated():
    table = "| n | text |\n| --- | --- |\n" + "".join(f"| {number} | {'word ' * 9}|\n" for number in range(30))
    found = chunks(table, chunk_size=200, chunk_overlap=40)
    assert "\n".join(chunk.text for chunk in found) == table.strip()


def test_a_figure_is_repeated_by_no_overlap():
    before, after, code = "Words and more. " * 9, "Other words. " * 16, "```\n" + "some(code)\n" * 12 + "```"
    found = chunks(f"{before}\n\n{code}\n\n{after}\n", chunk_size=300, chunk_overlap=60)
    assert [chunk.text.count("some(code)") for chunk in found] == [12, 0]


@pytest.mark.parametrize(
    "noise",
    [
        "[![build](https://img.shields.io/b.svg)](https://ci) [![docs](https://codecov.io/d.svg)](https://docs)",
        "- [![build](https://github.com/o/r/actions/workflows/x.yml/badge.svg)](https://ci)",
        "[![build](https://travis-ci.org/o/r.svg)][3]",
        "[![build][badge]][3]\n\n[badge]: https://badge.fury.io/py/x.svg\n[3]: https://ci 'title'",
        "![coverage](https://img.shields.io/badge/coverage-99-green)",
        '<a href="https://ci"><img src="https://img.shields.io/b.svg" alt="Build"></a>',
        '<a href="https://ci">\n <picture>\n  <source media="(x)" srcset="a">\n  <img\n  src="b">\n </picture>\n</a>',
        '<p align="right">(<a href="#top">back to top</a>)</p>',
        "<!-- a comment -->",
        "<!--\n# of\n\nseveral lines\n-->",
        "- [Usage](#usage)\n- [Licence](#licence)\n  - [More](#more)",
        '<ol>\n<li><a href="#usage">Usage</a></li>\n</ol>',
        "<details>\n<summary>📑 Table of Contents</summary>\n</details>",
        "---",
        "* * *",
        "______________",
        "[Jekyll]: https://jekyllrb.com",
        "┌──────┐    ┌──────┐\n│      │───▶│      │\n└──────┘    └──────┘",
        "+------+    +------+\n|      |----|      |\n+------+    +------+",
        "🌟 🌟 🌟",
    ],
)
def test_what_says_nothing_is_left_out(noise):
    document = f"# A\n\nBefore.\n\n{noise}\n\nAfter.\n"
    assert said(document).split() == ["#", "A", "Before.", "After."]
    assert sum(left_out_characters(document, SETTINGS).values()) == len("".join(noise.split()))


def test_front_matter_is_left_out_and_a_rule_at_the_top_is_not_taken_for_it():
    assert said("---\ntitle: A\ntags: [b]\n---\n# A\n\nText.\n") == "# A\n\nText."
    assert said("---\nText of no keys.\n\n---\nMore.\n") == "Text of no keys.\n\nMore."
    assert said("---\nkey: and no end\n\nText.\n") == "key: and no end\n\nText."
    assert said("---\nNote: a text.\n\n# A\n\n---\nMore.\n") == "Note: a text.\n\n# A\n\nMore."
    assert said("---\nNote: a text\nof two lines.\n\n---\nMore.\n") == "Note: a text\nof two lines.\n\nMore."


@pytest.mark.parametrize(
    "text",
    [
        "docker run --env TOKEN=<YOUR-TOKEN> <image>",
        "Use `<div>` and `<!-- this -->` for it.",
        "```a``` is code within a text.\n\n- a\n\n--\n\n- b",
        "An open <!-- comment is text.",
        "a < b and b > c, List<String>",
        "See [the docs](https://docs) and [above](#above).",
        "- [Tool](https://tool): what it does",
        "- [Tool](https://tool)",
        "Steps:\n1. one\n2. two",
        "שלום עולם، مرحبا. नमस्ते दुनिया। 你好，世界。",
        "src/\n├── main.py      # where it begins\n└── data.py      # what it reads",
        "[^1]: A footnote.",
        "price: 5 € and ½ kg × 3",
        "∀x∈A: x≥0",
        "✅ ok ❌ no",
        "├── src/\n│   └── a.py",
        "│  A   │───▶│  B   │",
        "Use List<Object> for it.",
        "``a <!-- b --> c`` and `` ` <b> ``",
        "A line of text.\n[text]: of it",
        "[Note]: read this before you start",
        "```\n┌──────┐\n│ App  │\n└──────┘\n```",
        "~~~\n🌟 🌟 🌟\n~~~",
        "![not an image]",
        "[![not an image][nowhere]](https://ci)",
    ],
)
def test_what_says_something_stays_as_it_is(text):
    assert said(f"{text}\n") == text


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("A <b>bold</b> word<sup>2</sup>.", "A bold word2."),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ('<p align="center">\n    Indented by\n    its tags.\n</p>', "Indented by\nits tags."),
        ("<p>\na\n</p>\n\n- b\n    - c", "a\n\n- b\n    - c"),
        ("<summary><b>When it fails</b></summary>", "When it fails"),
        ("![How data flows](flow.png)", "How data flows"),
        ("It ![grows](a.svg) and [![shrinks](b)](c) fast.", "It grows and shrinks fast."),
        ("![The reader](docs/badge-reader.png)", "The reader"),
        ("![The shop](https://example.org/shields.io/badge/shop.png)", "The shop"),
        ("![The door](docs/badge.svg)", "The door"),
        ('<img src="docs/badge-reader.png" alt="The reader">', "The reader"),
        ("<img src=x.png alt='The reader' width=5>", "The reader"),
        ("![one](a.png)![two](b.png)", "one\ntwo"),
        ('<img alt="a > b" src="c.png"> <b title="d > e">f</b> <b title=g\'h>i</b>', "a > b f i"),
        ("[![The screen](docs/screen.png)](https://demo)", "The screen"),
        ("[![The screen][png]][demo]\n\n[png]: docs/screen.png\n[demo]: https://demo", "The screen"),
        ('<a href="https://example.org/win">Download the installer</a>', "Download the installer"),
        ('- <a href="https://example.org/win">Windows</a> <a href="#mac">Mac</a>', "- Windows Mac"),
        ("# Pump [![build](https://img.shields.io/b.svg)][3]", "# Pump"),
        ("# Pump [![b](https://img.shields.io/b.svg) ![c](https://codecov.io/c.svg)](d)", "# Pump"),
        ("<table><tr>\n<td>✅</td>\n</tr></table>", "✅"),
        ("a\n\n┌──┐\n│ b │\n└──┘\n\nc", "a\n\n│ b │\n\nc"),
        ("<h1>Title and no end", "Title and no end"),
        ("## Contents\n\n- [A](#a)\n\n## A\n\nText.", "## A\n\nText."),
        ("<h1>Title</h1>Text.", "Title\nText."),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("a\n\n┌──┐\n└──┘\n\nb", "a\n\nb"),
        ("a\r\nb\r\n\r\n\r\n\r\nc\r\n", "a\nb\n\nc"),
        ("Text<!-- and a comment --> goes on.", "Text goes on."),
        ("Text <!-- a\ncomment --> goes on.", "Text  goes on."),
    ],
)
def test_layout_goes_and_what_it_encloses_stays(markdown, text):
    assert said(markdown) == text


def test_a_table_of_signs_is_no_drawing():
    table = "| a | b |\n| ------ | ------ |\n| ✅ | ❌ |"
    assert said(table) == table


def test_a_title_has_an_end():
    ((title, _, _),) = headings("# " + "word " * 1000 + "\n", chunk_size=9000)
    assert title == ("word " * 40).strip()


def test_noise_is_what_the_ratio_says():
    assert said("(→)\n", max_noise_ratio=0.4) == "(→)"
    assert said("(→)\n", max_noise_ratio=0.3) == ""
    assert said("a → → → →\n", max_noise_ratio=0.0) == "a → → → →"


@pytest.mark.parametrize(
    ("title", "markup"),
    [
        ("Pump", "Pump [![build](https://img.shields.io/b.svg)][3]"),
        ("Pump", "Pump [![build][b]][3]\n\n[b]: https://codecov.io/b.svg"),
        ("Pump reader", "Pump ![reader](docs/badge-reader.png)"),
        ("The pump", "The [pump][p]\n\n[p]: https://pump"),
        ("rows[0][1]", "rows[0][1]"),
        ("List<Object>", "List<Object>"),
    ],
)
def test_a_heading_is_named_without_its_badges_and_addresses(title, markup):
    assert headings(f"# {markup}\n\nText.\n")[0] == (title, None, None)


def test_what_is_left_out_is_counted_by_kind():
    document = "\n\n".join(
        [
            "---\ntitle: A\n---",
            "# A [![b](https://img.shields.io/b.svg)](c)",
            "![alt](d.png) and <b>bold</b>.",
            "- [E](#e)",
            "<!-- f -->",
            "[g]: h",
            "═══",
            "***",
        ]
    )
    assert left_out_characters(document, SETTINGS) == {
        "badges": len("[![b](https://img.shields.io/b.svg)](c)"),
        "comments": len("<!--f-->"),
        "contents": len("-[E](#e)"),
        "definitions": len("[g]:h"),
        "drawings": 3,
        "front_matter": len("---title:A---"),
        "images": len("![](d.png)"),
        "layout": 3,
        "tags": len("<b></b>"),
    }


def test_a_document_of_nothing_has_no_chunks():
    assert [chunks(document) for document in ("", "\n \t\n", "\ufeff", "---\n", "<!-- only -->")] == [[]] * 5
