"""Whole text files are listed in a manifest: what it says, and which files are refused."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from samples import read_manifest
from unit.parquetizer.folders import RAW, SAMPLES, found, made, refused, run_with, samples, write, write_params

NOBODY = 65534
DOCUMENTS = {
    "raw/b_README.md": "# B\n\nText.\n",
    "raw/a_README.md": "# A\r\n\ufeffünï 🙂\n",
    "raw/.github_README.md": "# G",
    "raw/deep/er/a b.md": "# Deep\n",
    "raw/deep.md": "# Beside it\n",
    "raw/Z.md": "# Z\n",
    "raw/é.md": "# É\n",
}
ORDER = [
    ".github_README.md",
    "Z.md",
    "a_README.md",
    "b_README.md",
    "deep.md",
    "deep/er/a b.md",
    "é.md",
]  # of their bytes


def listed(documents=DOCUMENTS, **settings):
    write_params(**settings)
    write(documents)
    return made("documents")


def test_every_file_is_a_sample_in_the_order_of_the_names():
    result = listed(key=["name"])
    assert result == {
        "output": "samples.parquet",
        "documents": 7,
        "bytes": sum(len(text.encode()) for text in DOCUMENTS.values()),
    }
    manifest = read_manifest(SAMPLES)
    assert manifest.files == {name: hashlib.sha256(text.encode()).hexdigest() for name, text in DOCUMENTS.items()}
    assert (manifest.key, manifest.rows) == (["name"], 7)
    assert manifest.columns == [["name", "string"], ["text", "string"]]
    wanted = [("all", f"raw/{name}", 0, name) for name in ORDER]
    assert samples("split", "file", "row", "source") == wanted


def test_a_changed_text_keeps_its_id_and_a_renamed_file_does_not():
    listed(key=["name"])
    before = {name: (key, content) for name, key, content in samples("source", "sample_id", "content_hash")}
    write({"raw/Z.md": "# Other\n"})
    (RAW / "b_README.md").rename(RAW / "c_README.md")
    made("documents")
    after = {name: (key, content) for name, key, content in samples("source", "sample_id", "content_hash")}
    assert after["Z.md"][0] == before["Z.md"][0] and after["Z.md"][1] != before["Z.md"][1]
    assert after["c_README.md"][0] not in {key for key, _ in before.values()}
    assert after["a_README.md"] == before["a_README.md"]


def test_the_files_stay_as_they_are():
    listed()
    assert found(RAW) == {
        name: text.encode() for name, text in sorted(DOCUMENTS.items(), key=lambda each: Path(each[0]))
    }


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "LC_ALL": "tr_TR.UTF-8"},
    ],
    ids=["C locale", "Turkish locale"],
)
def test_a_rerun_gives_the_same_bytes_anywhere(elsewhere):
    """Q16."""
    listed()
    first = SAMPLES.read_bytes()
    made("documents")
    assert SAMPLES.read_bytes() == first
    arguments = ["documents", "raw", "samples.parquet", "--params", "params.yaml"]
    command = [sys.executable, "-c", "from parquetizer.cli import cli; cli()", *arguments]
    subprocess.run(command, env={**os.environ, **elsewhere}, check=True, capture_output=True)
    assert SAMPLES.read_bytes() == first
    assert sorted(path.name for path in Path().iterdir()) == ["params.yaml", "raw", "samples.parquet"]


@pytest.mark.parametrize(
    ("name", "data", "code", "message"),
    [
        ("x.md", "", 21, "raw/x.md: the document is empty; fix: remove it from sources.csv"),
        ("x.md", " \n\t\u2003\n", 21, "raw/x.md: the document is empty; fix: remove it from sources.csv"),
        ("x.md", b"abc\xff", 20, "raw/x.md@3: invalid utf-8: invalid start byte; fix: save it as UTF-8"),
        ("x.md", b"abc\xc3", 20, "raw/x.md@3: invalid utf-8: unexpected end of data; fix: save it as UTF-8"),
        ("x.md", b"\xed\xa0\x80", 20, "raw/x.md@0: invalid utf-8: invalid continuation byte; fix: save it as UTF-8"),
        ("x.md", "ü\0", 20, "raw/x.md@2: NUL character; fix: remove it"),
        ("x.md", "x" * 101, 20, "raw/x.md: is larger than 100 bytes; fix: raise max-document-bytes"),
        ("x.txt", "x", 20, "raw/x.txt: expected suffix .md; fix: remove it from sources.csv, or correct suffix"),
        (".hidden", "x", 20, "raw/.hidden: expected suffix .md; fix: remove it from sources.csv, or correct suffix"),
        ("X.MD", "x", 20, "raw/X.MD: expected suffix .md; fix: remove it from sources.csv, or correct suffix"),
        (
            "a\nb.md",
            "x",
            14,
            "raw: invalid name 'a\\nb.md': contains a control character; fix: rename the file",
        ),
        (
            "a\x1b[2J.md",
            "x",
            14,
            "raw: invalid name 'a\\x1b[2J.md': contains a control character; fix: rename the file",
        ),
    ],
)
def test_a_file_that_is_no_document_is_refused(name, data, code, message):
    write_params(max_document_bytes=100)
    write({**DOCUMENTS, f"raw/{name}": data})
    refused("documents", code, message)


def test_a_name_that_is_no_utf_8_is_refused():
    write_params()
    write(DOCUMENTS)
    with open(b"raw/\xff.md", "wb") as file:
        file.write(b"x")
    refused("documents", 14, "raw: invalid name '\\udcff.md': contains a control character; fix: rename the file")


@pytest.mark.parametrize("target", ["Z.md", "deep", "nowhere"])
def test_a_link_is_refused_wherever_it_leads(target):
    write_params()
    write(DOCUMENTS)
    (RAW / "link.md").symlink_to(target)
    refused("documents", 20, "raw/link.md: is not a regular file; fix: remove it")


def test_a_pipe_is_refused_and_not_waited_for():
    write_params()
    write(DOCUMENTS)
    os.mkfifo("raw/pipe.md")
    refused("documents", 20, "raw/pipe.md: is not a regular file; fix: remove it")


def test_a_document_up_to_the_limit_is_listed():
    assert listed({"raw/x.md": "x" * 100}, max_document_bytes=100)["bytes"] == 100


def test_another_suffix_can_be_declared():
    assert listed({"raw/x.txt": "x"}, suffix=".txt")["documents"] == 1


def test_a_folder_without_files_is_refused():
    """Q8."""
    write_params()
    (RAW / "deep").mkdir(parents=True)
    refused("documents", 21, "raw: no documents; fix: run the fetcher")


def test_a_folder_that_is_not_there_is_missing_input():
    write_params()
    refused("documents", 10, "raw: not found; fix: run the fetcher")


def test_a_folder_that_cannot_be_read_is_not_passed_over():
    write_params()
    write(DOCUMENTS)
    (RAW / "deep").chmod(0)
    Path().chmod(0o777)
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)  # root may read any folder
    try:
        outcome = run_with("documents", "raw", "samples.parquet", "--params", "params.yaml")
    finally:
        os.seteuid(before)
        (RAW / "deep").chmod(0o700)
    assert (outcome.code, outcome.error.split(";")[0]) == (2, "raw/deep: permission denied")


def test_a_manifest_among_the_documents_is_refused():
    write_params()
    write(DOCUMENTS)
    outcome = run_with("documents", "raw", "raw/samples.parquet", "--params", "params.yaml")
    what = "raw/samples.parquet: is inside raw, where every file is a document; fix: write it to another folder"
    assert (outcome.code, outcome.error) == (2, what)
    assert not (RAW / "samples.parquet").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"max_document_bytes": 0},
            "params.yaml parquetizer: invalid max-document-bytes 0: expected 1 to 2^31 - 1; fix: correct it",
        ),
        (
            {"max_document_bytes": 1 << 31},
            "params.yaml parquetizer: invalid max-document-bytes 2147483648: expected 1 to 2^31 - 1; fix: correct it",
        ),
        ({"key": ["file"]}, "params.yaml parquetizer key: unknown column file; fix: use one of: name, text"),
        (
            {"suffix": 1},
            "params.yaml parquetizer.suffix: expected a string, got 1; fix: quote it: YAML reads it as a number",
        ),
        (
            {"sufix": ".md"},
            "params.yaml parquetizer: unknown key sufix; fix: use one of: suffix, max-document-bytes, key",
        ),
    ],
)
def test_settings_that_describe_no_documents_are_refused(settings, message):
    write_params(**settings)
    write(DOCUMENTS)
    refused("documents", 2, message)
