import dataclasses
from pathlib import Path
from typing import Any

import pytest
from stage.errors import UsageError
from stage.params import build, section


@dataclasses.dataclass(frozen=True)
class Input:
    file: str
    constants: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Settings:
    inputs: tuple[Input, ...]
    max_bytes: int = 10
    share: float = 0.5
    shares: tuple[float, ...] = ()
    names: dict[str, int] = dataclasses.field(default_factory=dict)
    strict: bool = False
    title: str | None = None
    extra: Input = Input("none")


@dataclasses.dataclass(frozen=True)
class Worded:
    """Settings that are texts."""

    classes: tuple[str, ...] = ()
    name: str = ""
    shares: dict[str, float] = dataclasses.field(default_factory=dict)


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(UsageError) as caught:
        build(Settings, values, "params.yaml tool")
    return str(caught.value)


def test_a_mapping_becomes_a_dataclass_with_nested_ones():
    values = {
        "inputs": [{"file": "a.csv", "constants": {"x": [1, None]}}, {"file": "b.csv"}],
        "max-bytes": 20,
        "share": 1,
        "shares": [1, 0.25],
        "names": {"a": 1},
        "strict": True,
        "title": "t",
        "extra": {"file": "c.csv"},
    }
    built = build(Settings, values, "params.yaml tool")
    assert built == Settings(
        inputs=(Input("a.csv", {"x": [1, None]}), Input("b.csv")),
        max_bytes=20,
        share=1.0,
        shares=(1.0, 0.25),
        names={"a": 1},
        strict=True,
        title="t",
        extra=Input("c.csv"),
    )
    assert type(built.share) is float
    assert [type(share) for share in built.shares] == [float, float]


def test_absent_keys_take_their_defaults():
    assert build(Settings, {"inputs": []}, "here") == Settings(inputs=())


def test_an_unknown_key_is_refused_naming_the_known_ones():
    assert refusal({"inputs": [], "max-byte": 1}) == (
        "params.yaml tool: unknown key max-byte; "
        "fix: use one of: inputs, max-bytes, share, shares, names, strict, title, extra"
    )


def test_an_unknown_key_of_a_nested_mapping_is_refused_with_its_place():
    assert refusal({"inputs": [{"file": "a"}, {"file": "b", "x": 1}]}) == (
        "params.yaml tool.inputs[1]: unknown key x; fix: use one of: file, constants"
    )


def test_a_missing_key_is_refused():
    assert refusal({}) == "params.yaml tool: inputs is missing; fix: add inputs:"
    assert refusal({"inputs": [{}]}) == "params.yaml tool.inputs[0]: file is missing; fix: add file:"


@pytest.mark.parametrize(
    ("key", "value", "place", "expected"),
    [
        ("max-bytes", "10", "max-bytes", "an integer"),
        ("max-bytes", True, "max-bytes", "an integer"),
        ("max-bytes", 1.0, "max-bytes", "an integer"),
        ("max-bytes", None, "max-bytes", "an integer"),
        ("share", "half", "share", "a number"),
        ("share", True, "share", "a number"),
        ("shares", [0.5, "x"], "shares[1]", "a number"),
        ("shares", 0.5, "shares", "a list"),
        ("strict", 1, "strict", "true or false"),
        ("strict", "yes", "strict", "true or false"),
        ("title", 3, "title", "a string"),
        ("names", ["a"], "names", "a mapping"),
        ("names", {"a": "b"}, "names.a", "an integer"),
        ("inputs", {"file": "a"}, "inputs", "a list"),
        ("inputs", ["a"], "inputs[0]", "a mapping"),
        ("extra", [1], "extra", "a mapping"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_place(key: str, value: Any, place: str, expected: str):
    inner = _inner(value, place)
    fix = "quote it: YAML reads it as a number" if key == "title" else f"write {expected}"
    got = "null" if inner is None else repr(inner)
    assert (
        refusal({"inputs": [], key: value}) == f"params.yaml tool.{place}: expected {expected}, got {got}; fix: {fix}"
    )


@pytest.mark.parametrize(
    ("written", "read", "kind"),
    [
        *((word, value, "booleans") for word, value in (("no", False), ("yes", True), ("on", True), ("Off", False))),
        *(
            (word, value, "a number")
            for word, value in (("1_000", 1000), ("0x1F", 31), ("12:30", 750), ("010", 8), ("1.0e+3", 1000.0))
        ),
        ("2001-01-01", "datetime.date(2001, 1, 1)", "a date"),
        *((word, None, "null or ~ in quotes") for word in ("null", "~", "")),
    ],
)
@pytest.mark.parametrize("text", ["classes: [x, {}]", "classes:\n- x\n- {}", "name: {}", "shares: {{{}: 0.5}}"])
def test_a_word_that_yaml_takes_for_something_else_is_to_be_quoted(
    text: str, written: str, read: Any, kind: str, tmp_path: Path
):
    if text.startswith(("shares", "classes: [")) and not written:
        return
    path = tmp_path / "params.yaml"
    path.write_text("tool:\n  " + text.format(written).replace("\n", "\n  "))
    with pytest.raises(UsageError) as error:
        build(Worded, section(path, "tool"), "tool")
    got = "null" if read is None else read
    assert error.value.what == f"expected a string, got {got}" and error.value.fix.endswith(kind), error.value
    path.write_text("tool:\n  " + text.format(f"'{written}'").replace("\n", "\n  "))
    assert written in str(build(Worded, section(path, "tool"), "tool"))


def _inner(value: Any, place: str) -> Any:
    """Return the part of the value that the place names."""
    if place.endswith("]"):
        return value[int(place[-2])]
    return value["a"] if place == "names.a" else value


def test_a_section_is_read_by_its_name(tmp_path: Path):
    path = tmp_path / "params.yaml"
    path.write_text("tool: {title: größe}\nother: [1]\n", encoding="utf-8")
    assert section(path, "tool") == {"title": "größe"}
    assert section(path, "absent") == {}


def test_an_empty_file_has_no_settings(tmp_path: Path):
    path = tmp_path / "params.yaml"
    path.write_text("")
    assert section(path, "tool") == {}


@pytest.mark.parametrize(
    "content",
    [
        b"tool: [1\n",
        b"tool: {a: 1, a}: 2\n",
        b"tool:\n\tx: 1\n",
        b"tool: !!python/object/apply:os.getcwd []\n",
        b"a: 1\n---\nb: 2\n",
        b"tool: {title: gr\xf6\xdfe}\n",
        b"tool: {title: 2024-13-45}\n",
        b"tool: {\x00: 1}\n",
        b"tool: " + b"[" * 5000,
    ],
    ids=["unclosed", "odd", "tab", "python", "two", "latin-1", "no date", "NUL", "deep"],
)
def test_what_is_no_yaml_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        section(path, "tool")
    assert str(caught.value).startswith(f"{path}: invalid YAML: ")
    assert str(caught.value).endswith("; fix: correct the file")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["tool: [1]", "tool: 3", "tool:", "- tool", "words"])
def test_a_section_must_be_a_mapping(tmp_path: Path, content: str):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        section(path, "tool")
    assert str(caught.value) == (
        f"{path}: invalid section tool: expected a mapping; fix: write tool: followed by indented keys"
    )
