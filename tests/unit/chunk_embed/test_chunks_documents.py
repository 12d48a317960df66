"""READMEs are read whole, in the order of their names, and what is none is refused with a cure."""

import hashlib
import os

import pytest
from chunk_embed.documents import Document, read_documents
from stage.errors import BadRows, EmptyInput, InputMissing


@pytest.fixture
def raw(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = (tmp_path / "raw").relative_to(tmp_path)
    folder.mkdir()
    return folder


def refusal(raw, error):
    with pytest.raises(error) as caught:
        read_documents(raw)
    return str(caught.value)


def test_documents_are_sorted_by_the_bytes_of_their_names(raw):
    texts = {
        "b_README.md": "B",
        "é_README.md": "É 🙂\r\n",
        ".github_README.md": "",
        "a_README_README.md": "\ufeffA",
        "Z_README.md": "Z",
    }
    for name, text in texts.items():
        (raw / name).write_bytes(text.encode())
    found = read_documents(raw)
    assert [each.name for each in found] == sorted(texts, key=os.fsencode)
    assert [each.repo for each in found] == [".github", "Z", "a", "b", "é"]
    assert {each.name: each.text for each in found} == texts
    assert found[3] == Document("b_README.md", "b", "B", hashlib.sha256(b"B").hexdigest())


def test_no_folder_and_an_empty_one_are_errors(raw):
    assert refusal(raw, EmptyInput) == "raw: no documents; fix: run the stage registry"
    assert refusal(raw / "none", InputMissing) == "raw/none: folder not found; fix: run the stage registry"


@pytest.mark.parametrize("name", ["notes.md", "README.md", "_README.md", "a_readme.md"])
def test_a_file_that_says_no_repository_is_refused(raw, name):
    (raw / name).write_text("Text.")
    wanted = "invalid file name: expected <repository>_README.md; fix: rename or remove it"
    assert refusal(raw, BadRows) == f"raw/{name}: {wanted}"


def test_what_is_no_text_is_refused_where_it_is_not(raw):
    path = raw / "a_README.md"
    path.write_bytes(b"abc\xff")
    assert refusal(raw, BadRows) == "raw/a_README.md@3: not valid UTF-8: invalid start byte; fix: save it as UTF-8"
    path.write_bytes("é\0".encode())
    assert refusal(raw, BadRows) == "raw/a_README.md@2: contains a NUL character; fix: remove it"


def test_link_of_dvc_is_the_file_that_it_leads_to(raw, tmp_path):
    """As cache.type = symlink has them."""
    stored = tmp_path / "cache/files/md5/ab" / ("0" * 30)
    stored.parent.mkdir(parents=True)
    stored.write_text("# A")
    (raw / "a_README.md").symlink_to(stored)
    assert [(each.name, each.text) for each in read_documents(raw)] == [("a_README.md", "# A")]
    stored.unlink()
    assert refusal(raw, BadRows) == "raw/a_README.md: not a regular file; fix: remove it"


def test_links_and_folders_are_refused(raw):
    (raw / "a_README.md").symlink_to("/etc/hostname")
    assert refusal(raw, BadRows) == "raw/a_README.md: not a regular file; fix: remove it"
    (raw / "a_README.md").unlink()
    (raw / "b_README.md").mkdir()
    assert refusal(raw, BadRows) == "raw/b_README.md: not a regular file; fix: remove it"
