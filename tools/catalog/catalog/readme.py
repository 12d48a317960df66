"""A dataset's README as part of its page: without front matter and title, and with links that work there."""

import posixpath
import re
from collections.abc import Container, Iterator
from typing import Any
from urllib.parse import urlsplit

from data_registry.stage.foreign import read_yaml
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

FRONT_MATTER = re.compile(r"---\n(.*?\n)---\n", re.DOTALL)
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def front_matter(text: str, where: str = "README.md") -> dict[str, Any]:
    """Return the mapping between the ``---`` at the top, if any. Raises CorruptFile for invalid YAML."""
    block = FRONT_MATTER.match(text)
    return (read_yaml(block[1], where, (dict, None)) if block else None) or {}


def as_html(text: str, folder: str, pages: Container[str], repository: str) -> Markup:
    """Return a README as HTML, with headings one level lower.

    Links to the README of a dataset in ``pages`` become links to its page; links to other files of the repository,
    links to its web address. Other relative links, unsafe ones and images are replaced by their text.
    """
    tokens = MARKDOWN.parse(FRONT_MATTER.sub("", text, count=1))
    if len(tokens) > 2 and tokens[0].tag == "h1":
        tokens = tokens[3:]
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        if token.children:
            token.children = list(_with_links(token.children, folder, pages, repository))
    return Markup(MARKDOWN.renderer.render(tokens, MARKDOWN.options, {}))  # noqa: S704 (the renderer escapes)


def _with_links(tokens: list[Token], folder: str, pages: Container[str], repository: str) -> Iterator[Token]:
    """Yield the tokens of a line with resolved links; links without a target lose both their tags."""
    has_target = True
    for token in tokens:
        if token.type == "image":
            text = RendererHTML().renderInlineAsText(token.children, MARKDOWN.options, {})
            yield Token("text", "", 0, content=text)
        elif token.type == "link_open":
            target = _target(str(token.attrs.get("href", "")), folder, pages, repository)
            has_target, token.attrs = bool(target), {"href": target}
            yield from [token] if has_target else []
        elif token.type != "link_close" or has_target:
            yield token


def _target(href: str, folder: str, pages: Container[str], repository: str) -> str:
    parts = urlsplit(href)
    if parts.scheme or parts.netloc:
        return href if parts.scheme in {"http", "https", "mailto"} else ""
    path = posixpath.normpath(posixpath.join(folder, parts.path)).lstrip("/")
    if not parts.path or path.split("/")[0] == "..":
        return ""
    name = path.removeprefix("data/").removesuffix("/README.md")
    if path == f"data/{name}/README.md" and name in pages:
        return f"{name}.html"
    url = f"{repository.removesuffix('.git')}/blob/HEAD/{path}{f'#{parts.fragment}' * bool(parts.fragment)}"
    return url if repository.startswith("https://") else ""
