"""Of real READMEs, no word is lost but in what the README of the tool says is left out."""

import csv
import os
import re
from pathlib import Path

import pytest
from chunk_embed.chunks import ChunkSettings, chunk_document, left_out

BADGES = re.compile(r"shields\.io|badge\.fury\.io|codecov\.io|travis-ci|badge\.svg|colab-badge|pepy\.tech")
FENCE = re.compile(r"^(`{3,})[^`\n]*\n.*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)
OF_CONTENTS = {"Table", "of", "Contents", "back", "to", "top"}


@pytest.fixture(scope="module")
def documents(root: Path) -> dict[str, str]:
    mirror = Path(os.environ.get("FETCH_MIRROR", "/nowhere"))
    with (root / "data/opencloudhub-readmes/sources.csv").open(newline="") as file:
        paths = {row["name"]: mirror / row["sha256"] for row in csv.DictReader(file)}
    found = {name: path.read_text("utf-8") for name, path in paths.items() if path.is_file()}
    return found or pytest.skip("FETCH_MIRROR has none of the READMEs")


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def test_every_word_is_in_a_chunk_or_in_what_is_listed_as_left_out(documents: dict[str, str]) -> None:
    for name, text in documents.items():
        parts = left_out(text, ChunkSettings())
        rest, position = [], 0
        for part in parts:
            assert text[part.start : part.start + len(part.text)] == part.text
            rest.append(text[position : part.start])
            position = part.start + len(part.text)
        rest.append(text[position:])
        chunked = chunk_document(text, ChunkSettings(chunk_overlap=0), lambda text: True)
        assert words(" ".join(chunk.text for chunk in chunked)) == words(" ".join(rest)), name
        assert all(BADGES.search(part.text) for part in parts if part.kind == "badges")
        assert not any(words(part.text.replace("_", "")) for part in parts if part.kind in ("layout", "drawings"))
        contents = " ".join(re.sub(r"\(#.*?\)", "", part.text) for part in parts if part.kind == "contents")
        assert set(words(contents)) <= {word for chunk in chunked for word in words(chunk.text)} | OF_CONTENTS, name


def test_all_of_a_fence_is_in_chunks(documents: dict[str, str]) -> None:
    for name, text in documents.items():
        chunked = " ".join(chunk.text for chunk in chunk_document(text, ChunkSettings(), lambda text: True))
        lines = {line.strip() for fence in FENCE.finditer(text) for line in fence[0].splitlines()}
        assert [line for line in lines if line not in chunked] == [], name
