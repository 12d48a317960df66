import hashlib
from pathlib import Path

import pytest
from stage.errors import UsageError
from stats.provenance import Source, SourceList, read_provenance

HEAD = "name,url,sha256,bytes\n"


def read(folder: Path, sources: bytes | str, params: str = "{a: {b: 1}}"):
    (folder / "sources.csv").write_bytes(sources if isinstance(sources, bytes) else sources.encode())
    (folder / "params.yaml").write_text(params)
    return read_provenance(folder / "sources.csv", folder / "params.yaml", {"stats": "s:1", "fetcher": "f:2"})


def test_a_file_is_listed_once_with_all_its_addresses(folder: Path):
    found = read(folder, HEAD + "a.csv,https://x/1,ff,3\nb.csv,https://x/b,ee,0\na.csv,https://y/2,ff,3\n")
    assert found.sources == [
        Source("a.csv", "ff", 3, ["https://x/1", "https://y/2"]),
        Source("b.csv", "ee", 0, ["https://x/b"]),
    ]
    assert not found.sample


def test_settings_of_all_tools_are_kept_and_the_description_is_not(folder: Path):
    found = read(folder, HEAD, "dataset: {name: x}\nfetcher: {jobs: 8}\nstats: {}\n")
    assert found.params == {"fetcher": {"jobs": 8}, "stats": {}}
    assert list(found.tools.items()) == [("fetcher", "f:2"), ("stats", "s:1")]


def test_a_sample_says_so_itself_wherever_it_is(folder: Path):
    assert read(folder, HEAD + "a.csv,file:sample/a.csv#synthetic,ff,3\n").sample
    assert read(folder, HEAD + "a.csv,https://x/a.csv#synthetic,ff,3\n").sample
    for url in ("file:sample/a.csv", "file:inbox/a.csv", "file:inbox/synthetic", "https://x/a.csv#data"):
        assert not read(folder, HEAD + f"a.csv,{url},ff,3\n").sample


@pytest.mark.parametrize(
    "content",
    [
        "file,address\na,b\n",
        HEAD + "a.csv,https://x,ff,many\n",
        HEAD + "a.csv,https://x,ff,\n",
        HEAD + "a.csv,https://x\n",
        HEAD + "a.csv\n",
        HEAD.encode() + b"gr\xf6\xdfe,https://x,ff,1\n",
        HEAD + "a.csv,https://x," + "f" * 140_000 + ",1\n",
    ],
    ids=["columns", "words", "empty", "short", "shorter", "latin-1", "long"],
)
def test_what_is_no_list_of_sources_is_refused(folder: Path, content: bytes | str):
    with pytest.raises(UsageError) as caught:
        read(folder, content)
    assert str(caught.value).startswith(f"{folder}/sources.csv: invalid list of sources: ")
    assert str(caught.value).endswith("; fix: columns are name,url,sha256,bytes")


def test_settings_may_be_none(folder: Path):
    assert read(folder, HEAD, "# none\n").params == {}


@pytest.mark.parametrize("value", ["!!set {b, a}", "!!binary aGk=", r'"\ud800"'])
def test_a_setting_that_is_no_plain_yaml_is_refused(folder: Path, value: str):
    with pytest.raises(UsageError, match=r"params\.yaml: invalid YAML: .*; fix: correct the file"):
        read(folder, HEAD, f"fetcher: {{since: {value}}}\n")


@pytest.mark.parametrize("value", ["2024-01-31", ".nan"])
def test_a_setting_that_json_cannot_hold_is_refused(folder: Path, value: str):
    with pytest.raises(UsageError) as caught:
        read(folder, HEAD, f"fetcher: {{since: {value}}}\n")
    assert str(caught.value).startswith(f"{folder}/params.yaml: cannot be represented in JSON: ")
    assert str(caught.value).endswith("; fix: quote dates and similar values")


@pytest.mark.parametrize(("files", "listed"), [(0, 0), (1, 1), (100, 100), (101, 0), (501, 0)])
def test_of_many_sources_only_the_list_is_named(folder: Path, files: int, listed: int):
    content = HEAD + "".join(f"{number}.jpg,https://x/{number},{number:064x},{number}\n" for number in range(files))
    found = read(folder, content)
    assert len(found.sources) == listed
    assert found.source_list == SourceList(hashlib.sha256(content.encode()).hexdigest(), files, sum(range(files)))


def test_a_file_of_several_addresses_counts_once(folder: Path):
    found = read(folder, HEAD + "".join(f"a.csv,https://x/{number},ff,3\n" for number in range(101)))
    assert (found.source_list.files, found.source_list.bytes) == (1, 3)
    assert len(found.sources[0].urls) == 101


def test_one_bundled_file_among_many_marks_the_sample(folder: Path):
    rows = "".join(f"{number},https://x,ff,1\n" for number in range(500))
    assert read(folder, HEAD + rows + "last,file:sample/last#synthetic,ff,1\n").sample
    assert not read(folder, HEAD + rows).sample


def test_what_describes_the_data_set_or_is_for_people_is_no_setting(folder: Path):
    found = read(
        folder, HEAD, "dataset: {name: x}\nupstream: {kind: urls}\ncard: {tags: [x]}\nparquetizer: {key: [a]}\n"
    )
    assert found.params == {"parquetizer": {"key": ["a"]}}
