"""How the catalogue writes values into its pages."""

import json
from typing import Any

import pytest
from catalog.rendering import as_json, sides
from registry.compare.drift import Change


@pytest.mark.parametrize(
    ("before", "after", "texts"),
    [
        (46.1098901099, 45.8586956522, ("46.1099", "45.8587")),
        (1.00000001, 1.00000002, ("1.00000001", "1.00000002")),
        (0.1, 0.30000000000000004 - 0.2, ("0.10000000000000001", "0.10000000000000003")),
        (1234567, 1234568, ("1234567", "1234568")),
        (None, 2.5, ("-", "2.5")),
        (["a"], "b", ('["a"]', "b")),
        (float("nan"), 1.0, ("NaN", "1")),
    ],
)
def test_values_are_told_apart_by_as_few_digits_as_it_takes(before: Any, after: Any, texts: tuple[str, str]) -> None:
    assert sides(Change("x", before, after)) == texts


@pytest.mark.parametrize("text", ["</script>", "<!-- <script", "]]>", "&lt;", "\u2028", "\ud800", "é 日 \x00"])
def test_json_ends_no_script_element(text: str) -> None:
    written = as_json({text: [text]})
    assert written.isascii() and not set("<>&") & set(written)
    assert json.loads(written) == {text: [text]}
