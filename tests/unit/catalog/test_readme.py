"""A README on its dataset's page: what is left out, and where its links lead."""

import pytest
from catalog.readme import as_html, front_matter
from data_registry.stage.errors import CorruptFile

PAGES = {"emotion", "wine-quality"}
WEB = "https://github.com/someone/registry.git"


def shown(text: str, repository: str = WEB) -> str:
    return str(as_html(text, "data/emotion", PAGES, repository)).strip()


def test_title_and_front_matter_are_left_out_and_headings_are_lower() -> None:
    text = "---\nlicense: mit\n---\n\n# emotion\n\nSome.\n\n## More\n\n###### Last\n"
    assert shown(text) == "<p>Some.</p>\n<h3>More</h3>\n<h6>Last</h6>"
    assert front_matter(text) == {"license": "mit"}


@pytest.mark.parametrize("text", ["", "# emotion\n", "---\n\n---\n", "---\na: b\n", "--- \nx"])
def test_a_readme_without_front_matter(text: str) -> None:
    assert front_matter(text) == {}


@pytest.mark.parametrize("text", ["---\n- a\n---\n", "---\na: [\n---\n", "---\na: 2020-99-99\n---\n"])
def test_front_matter_that_is_not_a_mapping(text: str) -> None:
    with pytest.raises(CorruptFile, match=r"README\.md: invalid"):
        front_matter(text)


def test_a_line_further_down_is_no_front_matter() -> None:
    assert shown("Some.\n\n---\n\nMore.\n") == "<p>Some.</p>\n<hr />\n<p>More.</p>"


def test_tables_and_code_are_shown() -> None:
    assert "<td>b</td>" in shown("| a |\n|---|\n| b |\n")
    assert shown("    make dataset DS=<x>\n") == "<pre><code>make dataset DS=&lt;x&gt;\n</code></pre>"


@pytest.mark.parametrize(
    ("link", "leads"),
    [
        ("../wine-quality/README.md", "wine-quality.html"),
        ("../emotion/README.md#source", "emotion.html"),
        ("README.md", "emotion.html"),
        ("sources.csv", "https://github.com/someone/registry/blob/HEAD/data/emotion/sources.csv"),
        ("../../tools/samples/README.md", "https://github.com/someone/registry/blob/HEAD/tools/samples/README.md"),
        ("../other/README.md", "https://github.com/someone/registry/blob/HEAD/data/other/README.md"),
        ("../../README.md#docker", "https://github.com/someone/registry/blob/HEAD/README.md#docker"),
        ("/README.md", "https://github.com/someone/registry/blob/HEAD/README.md"),
        ("https://example.org/a?b=c&d", "https://example.org/a?b=c&amp;d"),
        ("http://example.org", "http://example.org"),
        ("mailto:a@example.org", "mailto:a@example.org"),
    ],
)
def test_links_lead_where_they_mean(link: str, leads: str) -> None:
    assert shown(f"See [this *one*]({link}).") == f'<p>See <a href="{leads}">this <em>one</em></a>.</p>'


@pytest.mark.parametrize(
    "link",
    [
        *("javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x"),
        *("ftp://example.org", "//example.org/x", "../../../outside.md", "../../..", "#source", ""),
    ],
)
def test_a_link_that_leads_nowhere_is_its_text(link: str) -> None:
    found = shown(f"See [this]({link}).")
    assert "<a" not in found and "this" in found


def test_without_a_web_address_files_of_the_repository_are_their_text() -> None:
    for repository in ("/srv/data_registry.git", "git@github.com:someone/registry.git", ""):
        assert shown("See [this](sources.csv), [that](../wine-quality/README.md).", repository) == (
            '<p>See this, <a href="wine-quality.html">that</a>.</p>'
        )


def test_pictures_are_their_text_for_the_page_asks_nothing_of_the_network() -> None:
    assert shown("A ![badge *of*](https://example.org/x.svg) here.") == "<p>A badge of here.</p>"
    assert shown("[![badge](https://example.org/x.svg)](https://example.org)") == (
        '<p><a href="https://example.org">badge</a></p>'
    )


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "<!-- x -->",
        "```\n</code><script>alert(1)</script>\n```",
        '[a](https://example.org "\\"><script>alert(1)</script>")',
        "![<script>](x)",
        "| <script> |\n|---|\n| <b> |",
    ],
)
def test_html_is_shown_as_text(text: str) -> None:
    found = shown(text)
    assert "<script" not in found and "<img" not in found and "<!--" not in found and "<b>" not in found


def test_references_and_autolinks_lead_too() -> None:
    assert shown("[this][1] <https://example.org>\n\n[1]: ../wine-quality/README.md") == (
        '<p><a href="wine-quality.html">this</a> <a href="https://example.org">https://example.org</a></p>'
    )
