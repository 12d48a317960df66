"""The charts of the catalogue: what is drawn, in colours of the page alone, and the numbers beside it."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from catalog.charts import LABELS, Chart, bars, histogram
from catalog.numbers import GAP, figure, share

CLASSES = {f"class {number}": number for number in range(1, 31)}
CHARTS: dict[str, Chart] = {
    "bars": bars("label", "values", {"": {"joy": 3, "anger": 0, "<b>&\"'": 1}}, as_shares=False),
    "bars of splits": bars("label", "values", {"train": {"joy": 3, "anger": 1}, "val": {"joy": 2}}, as_shares=True),
    "many bars": bars("label", "values", {"": CLASSES}, as_shares=False),
    "no bars": bars("label", "values", {}, as_shares=False),
    "an empty series": bars("label", "values", {"": {}}, as_shares=True),
    "only zeros": bars("label", "values", {"train": {"joy": 0}, "val": {"joy": 0}}, as_shares=True),
    "one bar": bars("label", "values", {"": {"joy": 5}}, as_shares=False),
    "histogram": histogram("length", [0, 1.5, 3, 1000], {"": [1, 0, 2]}),
    "histogram of splits": histogram("length", [0, 1, 2], {"train": [1, 3], "val": [0, 0]}),
    "one value": histogram("length", [5, 6], {"": [3]}),
}


def marks(chart: Chart, kind: str) -> list[ElementTree.Element]:
    """Return what is drawn of a kind, as screen readers would be told it."""
    root = ElementTree.fromstring(chart.svg)
    return [each for each in root.iter() if each.get("aria-roledescription") == kind]


def texts(chart: Chart) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(chart.svg).iter() if each.tag.endswith("}text")]


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_colours_are_those_of_the_page_alone(chart: Chart) -> None:
    used = set(re.findall(r'\b(?:fill|stroke|color|stop-color)[=:]"?([^";]+)', chart.svg))
    assert used and all(colour == "none" or re.fullmatch(r"var\(--[a-z0-9]+\)", colour) for colour in used)
    assert not re.search(
        r"<(script|style|image|foreignObject|a)\b|href=|url\((?!#)|https?://(?!www\.w3\.org/)", chart.svg
    )


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_numbers_stand_below_a_head_of_the_same_width(chart: Chart) -> None:
    assert all(len(row) == len(chart.head) for row in chart.rows)
    assert chart.alt.endswith(".") and chart.title in chart.alt


def test_charts_have_no_ids_which_would_differ_from_run_to_run() -> None:
    assert [each for chart in CHARTS.values() for each in re.findall(r'\bid="([^"]*)"', chart.svg)] == []


def test_a_bar_and_its_number_for_each_name() -> None:
    chart = CHARTS["bars"]
    assert len(marks(chart, "bar")) == len(marks(chart, "text mark")) == 3
    assert {"joy", "anger", "<b>&\"'", "3", "0", "1"} <= set(texts(chart))
    assert chart.rows == (("joy", "3"), ("anger", "0"), ("<b>&\"'", "1"))
    assert chart.alt == "Bar chart: label, 3 values. Largest: joy."
    assert (chart.head, chart.series) == (("values", "number"), ())


def test_a_bar_for_each_split_also_where_a_name_is_not_in_it() -> None:
    chart = CHARTS["bars of splits"]
    assert len(marks(chart, "bar")) == 4
    assert chart.series == ("train", "val") and chart.head == ("values", "train", "val")
    assert chart.rows == (("joy", "3 (75%)", "2 (100%)"), ("anger", "1 (25%)", "0 (0%)"))
    assert "var(--s1)" in chart.svg and "var(--s2)" in chart.svg


def test_of_many_names_the_rarest_are_added_up() -> None:
    chart = CHARTS["many bars"]
    assert len(marks(chart, "bar")) == len(chart.rows) == LABELS
    assert chart.rows[-1] == ("11 others", str(sum(range(1, 12))))
    assert chart.rows[0] == ("class 12", "12") and chart.rows[-2] == ("class 30", "30")
    assert chart.alt == "Bar chart: label, 30 values. Largest: class 30."


def test_as_many_names_as_there_is_room_for_stay_as_they_are() -> None:
    chart = bars("label", "values", {"": dict(list(CLASSES.items())[:LABELS])}, as_shares=False)
    assert [name for name, _ in chart.rows] == list(CLASSES)[:LABELS]


@pytest.mark.parametrize("what", ["no bars", "an empty series"])
def test_nothing_is_drawn_of_nothing(what: str) -> None:
    assert not marks(CHARTS[what], "bar") and CHARTS[what].rows == ()
    assert CHARTS[what].alt == "Bar chart: label, 0 values. Largest: none."


def test_zeros_are_bars_without_a_length() -> None:
    assert [number for _, *numbers in CHARTS["only zeros"].rows for number in numbers] == ["0 (0%)", "0 (0%)"]
    assert len(marks(CHARTS["only zeros"], "bar")) == 2 and "NaN" not in CHARTS["only zeros"].svg


def test_a_histogram_has_a_bar_for_each_interval() -> None:
    chart = CHARTS["histogram"]
    assert len(marks(chart, "bar")) == len(chart.rows) == 3
    assert [numbers for _, *numbers in chart.rows] == [["1"], ["0"], ["2"]]
    assert chart.alt == "Histogram: length, from 0 to 1\N{NARROW NO-BREAK SPACE}000."


def test_a_histogram_of_splits_has_a_line_for_each() -> None:
    chart = CHARTS["histogram of splits"]
    lines = marks(chart, "line mark")
    assert len(lines) == 2 and not marks(chart, "bar")
    assert [line.get("stroke") for line in lines] == ["var(--s1)", "var(--s2)"]
    assert [numbers for _, *numbers in chart.rows] == [["1", "0"], ["3", "0"]]
    assert "NaN" not in chart.svg


def test_one_value_is_one_bar() -> None:
    assert len(marks(CHARTS["one value"], "bar")) == 1 and CHARTS["one value"].rows == (("5", "3"),)


def test_names_are_drawn_as_text_whatever_is_in_them() -> None:
    odd = ["</text><script>alert(1)</script>", "datum.value", "{{x}}", "שלום", "a\nb", ""]
    drawn: Any = bars("<title>", "values", {"": dict.fromkeys(odd, 1)}, as_shares=False)
    assert len(marks(drawn, "bar")) == len(odd) and "<script" not in drawn.svg
    assert [name for name, _ in drawn.rows] == odd


def test_names_that_no_drawing_can_hold_do_not_end_the_process() -> None:
    odd = ["bell \x07", "nul \0", "half \ud800", "\ufffe", "\N{RIGHT-TO-LEFT OVERRIDE}turned", "new\nline"]
    chart = bars("label", "values", {"a \x07": dict.fromkeys(odd, 1), "b": {}}, as_shares=True)
    assert "bell \N{REPLACEMENT CHARACTER}" in texts(chart)
    assert [row[0] for row in chart.rows] == odd


@pytest.mark.parametrize("most", range(1, 7))
def test_samples_are_counted_in_whole_numbers(most: int) -> None:
    drawn = histogram("length", [10, 20, 30], {"": [most, 1]})
    counts = [float(text) for text in texts(drawn) if float(text) < 10]
    assert counts[0] == 0 and len(counts) > 1 and all(count.is_integer() for count in counts)


def test_edges_have_all_their_digits() -> None:
    rows = histogram("year", [2019.1, 2019.2, 2019.3], {"": [1, 2]}).rows
    gap = "\N{NARROW NO-BREAK SPACE}"
    assert [row[0] for row in rows] == [f"2{gap}019.1 to 2{gap}019.2", f"2{gap}019.2 to 2{gap}019.3"]


@pytest.mark.parametrize(
    ("part", "text"),
    [(0, "0%"), (0.0004, "<0.1%"), (0.04, "4.0%"), (0.5, "50%"), (0.996, "99.6%"), (0.99999, ">99.9%"), (1, "100%")],
)
def test_a_share_is_nothing_or_all_only_where_it_is(part: float, text: str) -> None:
    assert share(part) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e15, "1,000,000,000,000,000"),
        (1.234567e34, "1.235e+34"),
        (2**54, "18,014,398,509,481,984"),
        (12345.6, "12,350"),
    ],
)
def test_floats_have_no_more_digits_than_they_are_exact_to(value: float, text: str) -> None:
    assert figure(value) == text.replace(",", GAP)
