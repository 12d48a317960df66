from pathlib import Path

import pytest
from stage.errors import UsageError
from stats.provenance import Source, read_provenance

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


def test_bundled_sample_data_are_marked(folder: Path):
    assert read(folder, HEAD + "a.csv,file:sample/a.csv,ff,3\n").sample


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
    assert str(caught.value).startswith(f"{folder}/sources.csv: not a list of sources: ")
    assert str(caught.value).endswith("; fix: columns are name,url,sha256,bytes")


@pytest.mark.parametrize("value", ["2024-01-31", ".nan", "!!set {b, a}", "!!binary aGk="])
def test_a_setting_that_json_cannot_hold_is_refused(folder: Path, value: str):
    with pytest.raises(UsageError) as caught:
        read(folder, HEAD, f"fetcher: {{since: {value}}}\n")
    assert str(caught.value).startswith(f"{folder}/params.yaml: cannot be written as JSON: ")
    assert str(caught.value).endswith("; fix: put dates and the like in quotes")
