"""The cards of datasets: what is generated in a README, and that nothing else of it ever changes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from data_registry.stage.errors import UsageError
from datasets import ClassLabel, Features, List, NamedSplit, Value, load_dataset
from registry.cards.card import card_of, write_card
from registry.cards.front_matter import END, START
from registry.cli import cli
from registry.datasets import Dataset
from unit.registry.tiny import make_registry

PARAMS: dict[str, Any] = {
    "dataset": {
        "name": "letters",
        "title": "Letters: of the alphabet",
        "source": "https://example.org/letters",
        "licence": "MIT",
        "columns": [
            {"name": "image", "type": "uint8", "shape": [2, 2]},
            {"name": "label", "type": "uint8", "classes": ["a", "b"]},
            {"name": "word", "type": "string", "classes": ["x", "y"]},
            {"name": "weight", "type": "float64"},
        ],
    },
    "card": {"tasks": ["image-classification"], "languages": ["no"], "tags": ["made up"]},
}
METADATA: dict[str, Any] = {
    "dataset": {"licence": "MIT"},
    "splits": {"train": {"num_samples": 900}, "val": {"num_samples": 100}},
    "files": {
        "processed/val/val.parquet": {"sha256": "b" * 64, "bytes": 20},
        "processed/train/train.parquet": {"sha256": "a" * 64, "bytes": 80},
    },
    "provenance": {"sample": False},
}
PROSE = "# letters\r\n\r\nTwo letters.\n\n---\n\nMore — and a marker in the text: # End of what `make cards` writes.\n"


def make(folder: Path, readme: str | None = PROSE, metadata: Any = METADATA, **changes: Any) -> Dataset:
    """Write the files that git has of a dataset; ``changes`` are of its section ``dataset``."""
    params = {**PARAMS, "dataset": {**PARAMS["dataset"], **changes}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    if metadata is not None:
        (folder / "metadata.json").write_text(json.dumps({**metadata, "dataset": changes, "logical_hash": "ab" * 32}))
    if readme is not None:
        (folder / "README.md").write_bytes(readme.encode())
    return Dataset("letters", folder)


def keys(dataset: Dataset) -> dict[str, Any]:
    """Return the front matter as YAML readers have it."""
    found: dict[str, Any] = yaml.safe_load(card_of(dataset).decode().split("---\n")[1])
    return found


def test_the_front_matter_says_what_the_hub_asks(tmp_path: Path) -> None:
    found = keys(make(tmp_path))
    features, splits = found["dataset_info"].pop("features"), found["dataset_info"].pop("splits")
    assert found == {
        "license": "mit",
        "task_categories": ["image-classification"],
        "language": ["no"],
        "tags": ["made up"],
        "pretty_name": "Letters: of the alphabet",
        "size_categories": ["1K<n<10K"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": "train", "path": "processed/train/train.parquet"},
                    {"split": "val", "path": "processed/val/val.parquet"},
                ],
            }
        ],
        "dataset_info": {},
    }
    assert Features._from_yaml_list(features) == {
        "image": List(List(Value("uint8"))),
        "label": ClassLabel(names=["a", "b"]),
        "word": Value("string"),
        "weight": Value("float64"),
    }
    assert splits == [
        {"name": "train", "num_bytes": 80, "num_examples": 900},
        {"name": "val", "num_bytes": 20, "num_examples": 100},
    ]


def test_a_split_has_a_name_that_datasets_takes(tmp_path: Path) -> None:
    metadata = {
        **METADATA,
        "splits": {"held-out": {"num_samples": 7}},
        "files": {"processed/held-out/held-out.parquet": {"sha256": "a" * 64, "bytes": 80}},
    }
    found = keys(make(tmp_path, metadata=metadata))
    (part,), (split,) = found["configs"][0]["data_files"], found["dataset_info"]["splits"]
    assert part == {"split": "held_out", "path": "processed/held-out/held-out.parquet"}
    assert split == {"name": "held_out", "num_bytes": 80, "num_examples": 7}
    NamedSplit(split["name"])  # raises ValueError for others


def test_texts_of_a_csv_file_are_texts_whatever_they_say(tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("word,weight\nNA,1.5\nNone,\n")
    columns = [{"name": "word", "type": "string"}, {"name": "weight", "type": "float64"}]
    metadata = {"summary": {"num_samples": 2}, "files": {"words.csv": {"sha256": "a" * 64, "bytes": 27}}}
    dataset = make(tmp_path, metadata=metadata, columns=columns)
    (tmp_path / "README.md").write_bytes(card_of(dataset))
    found = load_dataset(str(tmp_path), split="train", cache_dir=str(tmp_path / "cache"))
    assert found.to_list() == [{"word": "NA", "weight": 1.5}, {"word": "None", "weight": None}]


@pytest.mark.parametrize(
    ("type_", "feature"),
    [
        ("list<item: struct<from: string, value: int32>>", List({"from": Value("string"), "value": Value("int32")})),
        ("fixed_size_list<element: float not null>[384]", List(Value("float32"), length=384)),
        ("list<item: list<item: double>>", List(List(Value("float64")))),
        ("struct<a: bool, b: large_string>", {"a": Value("bool"), "b": Value("large_string")}),
        ("halffloat", Value("float16")),
        ("date32[day]", Value("date32")),
        ("jpeg", Value("string")),
    ],
)
def test_columns_that_only_metadata_knows(type_: str, feature: Any, tmp_path: Path) -> None:
    metadata = {**METADATA, "schema": {"features": {"x": {"dtype": type_}}}}
    dataset = make(tmp_path, metadata=metadata)
    (tmp_path / "params.yaml").write_text("dataset: {name: letters}\n")
    assert Features._from_yaml_list(keys(dataset)["dataset_info"]["features"]) == {"x": feature}


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("cc-by-4.0", {"license": "cc-by-4.0"}),
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("ODbL-1.0", {"license": "odbl"}),
        ("GPL-3.0-or-later", {"license": "gpl-3.0"}),
        ("PostgreSQL", {"license": "postgresql"}),
        ("", {"license": "unknown"}),
        (
            "For education, and research (only)",
            {
                "license": "other",
                "license_name": "for-education-and-research-only",
                "license_link": "https://example.org/letters",
            },
        ),
        (
            "https://example.org/terms",
            {
                "license": "other",
                "license_name": "https-example-org-terms",
                "license_link": "https://example.org/terms",
            },
        ),
        (
            "仅供研究 2.0",
            {"license": "other", "license_name": "custom", "license_link": "https://example.org/letters"},
        ),
    ],
)
def test_licences_are_those_of_the_hub_or_other(licence: str, expected: dict[str, str], tmp_path: Path) -> None:
    found = keys(make(tmp_path, licence=licence))
    assert {key: value for key, value in found.items() if key.startswith("license")} == expected


@pytest.mark.parametrize("source", ["", "a drawer", "letters from https://example.org/letters"])
def test_a_source_that_is_no_address_is_no_link(source: str, tmp_path: Path) -> None:
    found = keys(make(tmp_path, licence="mine", source=source))
    assert {key: value for key, value in found.items() if key.startswith("license")} == {
        "license": "other",
        "license_name": "mine",
    }


@pytest.mark.parametrize(
    ("samples", "size"),
    [
        *((999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (9_999_999, "1M<n<10M"), (10**7, "10M<n<100M")),
        *(
            (10**8, "100M<n<1B"),
            (10**9, "1B<n<10B"),
            (10**11 - 1, "10B<n<100B"),
            (10**11, "100B<n<1T"),
            (10**12, "n>1T"),
        ),
    ],
)
def test_sizes(samples: int, size: str, tmp_path: Path) -> None:
    metadata = {"summary": {"num_samples": samples}, "files": {"processed/x.csv": {"sha256": "a" * 64, "bytes": 1}}}
    found = keys(make(tmp_path, metadata=metadata))
    assert found["size_categories"] == [size]
    assert found["configs"][0]["data_files"] == [{"split": "train", "path": "processed/x.csv"}], "the Hub's name"


def test_samples_say_that_they_are_synthetic(tmp_path: Path) -> None:
    found = keys(make(tmp_path, metadata={**METADATA, "provenance": {"sample": True}}))
    assert found["pretty_name"] == "Letters: of the alphabet (synthetic sample)"


def test_what_is_not_built_has_what_people_say(tmp_path: Path) -> None:
    found = keys(make(tmp_path, metadata=None))
    assert found.keys() == {"license", "task_categories", "language", "tags", "pretty_name"}


def test_documents_have_no_configuration(tmp_path: Path) -> None:
    metadata = {"summary": {"num_samples": 1}, "files": {"raw/a.md": {"sha256": "a" * 64, "bytes": 1}}}
    assert not {"configs", "dataset_info"} & keys(make(tmp_path, metadata=metadata)).keys()


OLD = f"{START}\nold: 1\n{END}\n"


@pytest.mark.parametrize(
    ("before", "head", "tail"),
    [
        (PROSE, "---\n", f"---\n\n{PROSE}"),
        ("", "---\n", "---\n"),
        (f"---\n---\n{PROSE}", "---\n", f"---\n{PROSE}"),
        (
            f"---\nviewer: false # ours\n{OLD}arxiv: [1]\n--- \n{PROSE}",
            "---\nviewer: false # ours\n",
            f"arxiv: [1]\n--- \n{PROSE}",
        ),
        (
            f"---\nviewer: false\n{OLD}arxiv: [1]\n{OLD}doi: 1\n---\n",
            "---\nviewer: false\n",
            "arxiv: [1]\ndoi: 1\n---\n",
        ),
        (
            "---\r\nviewer: false\r\n" + OLD.replace("\n", "\r\n") + f"---\r\n{PROSE}",
            "---\r\nviewer: false\r\n",
            f"---\r\n{PROSE}",
        ),
    ],
    ids=["none", "no text", "empty", "with a block", "with two", "with Windows' line ends"],
)
def test_everything_outside_the_block_stays_to_the_byte(before: str, head: str, tail: str, tmp_path: Path) -> None:
    dataset = make(tmp_path, before)
    assert write_card(dataset)
    after = (tmp_path / "README.md").read_bytes().decode()
    assert after.startswith(f"{head}{START}\nlicense: mit\n") and "old: 1" not in after
    assert after.split(f"\n{END}\n", 1)[1] == tail
    assert not write_card(dataset) and (tmp_path / "README.md").read_bytes().decode() == after, "once is enough"


def test_a_key_that_people_have_set_is_theirs(tmp_path: Path) -> None:
    dataset = make(tmp_path, f"---\npretty_name: Mine\nlicense: other\n---\n{PROSE}")
    found = keys(dataset)
    assert (found["pretty_name"], found["license"], found["language"]) == ("Mine", "other", ["no"])
    assert card_of(dataset).count(b"pretty_name") == card_of(dataset).count(b"license:") == 1


def test_a_licence_that_people_have_set_takes_its_name_and_link_along(tmp_path: Path) -> None:
    found = keys(make(tmp_path, f"---\nlicense: mit\n---\n{PROSE}", licence="mine"))
    assert {key: value for key, value in found.items() if key.startswith("license")} == {"license": "mit"}


@pytest.mark.parametrize(
    ("readme", "message"),
    [
        (f"---\n{START}\nlicense: mit\n---\n", "without its counterpart; fix: remove it, then make cards"),
        (f"---\nlicense: mit\n{END}\n---\n", "without its counterpart"),
        ("---\na: [\n---\n", "invalid YAML"),
        ("---\njust words\n---\n", "expected a mapping, got a string; fix: write keys and values between"),
    ],
)
def test_front_matter_that_cannot_be_kept_is_refused(readme: str, message: str, tmp_path: Path) -> None:
    dataset = make(tmp_path, readme)
    with pytest.raises(UsageError) as caught:
        write_card(dataset)
    assert message in str(caught.value) and (tmp_path / "README.md").read_text() == readme


def test_a_readme_in_another_encoding_is_refused(tmp_path: Path) -> None:
    dataset = make(tmp_path)
    (tmp_path / "README.md").write_bytes("# Gr\xfc\xdfe".encode("latin-1"))
    with pytest.raises(UsageError, match=r"README.md: not UTF-8; fix: save it as UTF-8"):
        card_of(dataset)


def test_a_byte_order_mark_goes(tmp_path: Path) -> None:
    plain = card_of(make(tmp_path, f"---\nviewer: false\n---\n{PROSE}"))
    dataset = make(tmp_path, f"\ufeff---\nviewer: false\n---\n{PROSE}")
    assert write_card(dataset) and (tmp_path / "README.md").read_bytes() == plain


@pytest.mark.parametrize("word", ["1e3", "1E-3", "0o17", "0x1F", "09", "+1", "-.5", "4."])
def test_words_that_other_readers_take_for_numbers_are_quoted(word: str, tmp_path: Path) -> None:
    card = card_of(make(tmp_path, title=word)).decode()
    assert f"\npretty_name: '{word}'\n" in card


@pytest.mark.parametrize("word", ["1e3x", "0o18", "e3", "1.2.3", "."])
def test_other_words_are_not(word: str, tmp_path: Path) -> None:
    card = card_of(make(tmp_path, title=word)).decode()
    assert f"\npretty_name: {word}\n" in card


def test_the_command_writes_the_cards_of_all_or_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_ROOT", str(make_registry(tmp_path)))
    folder = tmp_path / "clone" / "data"
    (folder / "greetings" / "README.md").write_text("# Greetings\n")
    one = CliRunner().invoke(cli, ["cards"], env={"DS": "greetings"})
    assert (one.exit_code, one.output) == (0, "greetings: README.md updated\n")
    assert (folder / "greetings" / "README.md").read_text().endswith("---\n\n# Greetings\n")
    everything = CliRunner().invoke(cli, ["cards"])
    assert everything.output == "greetings: README.md is current\nnumbers: README.md updated\n"


def test_a_card_that_cannot_be_written_is_told_before_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_registry(tmp_path)
    monkeypatch.setenv("REGISTRY_ROOT", str(root))
    folder = root / "data" / "greetings"
    (folder / "dvc.yaml").write_text("stages: {make: {cmd: touch built}}\n")
    (folder / "params.yaml").write_text("card: {task: x}\n")
    done = CliRunner().invoke(cli, ["dataset", "greetings"])
    assert done.exit_code == 2 and "params.yaml card: unknown key task; fix: use one of: tasks," in done.output
    assert not (folder / "built").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("card: {task: x}", "card: unknown key task; fix: use one of: tasks, languages, tags, authors, organisation"),
        ("card: {tasks: x}", "card.tasks: expected a list, got 'x'"),
        ("dataset: {columns: [{name: a}]}", "dataset.columns[0]: type is missing; fix: add type:"),
        ("dataset: {columns: [{name: a, type: number}]}", "dataset.columns: unknown type 'number'; fix: correct"),
        ("dataset: {columns: }", "dataset.columns: expected a list, got null; fix: write a list"),
        (
            "dataset: {licence: }",
            "dataset.licence: expected a string, got null; fix: write a string, and null or ~ in quotes",
        ),
        (
            "dataset: {columns: [{name: a, type: int8, classes: [no, 12:30]}]}",
            "dataset.columns[0].classes[0]: expected a string, got False",
        ),
    ],
)
def test_params_that_say_something_else_are_refused(text: str, message: str, tmp_path: Path) -> None:
    dataset = make(tmp_path)
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        card_of(dataset)
    assert message in str(caught.value)
