import itertools
from collections.abc import Iterable, Iterator
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stats import median
from stats.median import Floats, count_digits, medians

ALL = st.floats(allow_nan=False, allow_infinity=False)
TINY = st.floats(-1e-307, 1e-307)  # subnormals among them
NEAR = st.integers(0, 300).map(lambda step: float(np.float64(1.0) + step * np.finfo(float).eps))  # differ in last bits
HUGE = st.floats(1e300, 1.7e308) | st.floats(-1.7e308, -1e300)
FEW_KINDS = st.sampled_from([-0.0, 0.0, 1.0, -1.0, 5e-324, -5e-324, 2.0])
COLUMNS = st.one_of(*(st.lists(kind, min_size=1, max_size=60) for kind in (ALL, TINY, NEAR, HUGE, FEW_KINDS)))
COLUMN = COLUMNS | st.tuples(COLUMNS, COLUMNS).map(lambda pair: pair[0] + pair[1])


class Column:
    """A column that can be read again and again, in pieces; it counts the times."""

    def __init__(self, values: Iterable[float], cuts: Iterable[int] = ()) -> None:
        self.values = np.array(list(values), np.float64)
        self.pieces = np.split(self.values, sorted(cut % (len(self.values) + 1) for cut in cuts))
        self.passes = 0

    def again(self, names: list[str]) -> Iterator[tuple[str, Floats]]:
        self.passes += 1
        yield from (("x", piece) for piece in self.pieces)

    def median(self) -> float:
        (found,) = medians({"x": count_digits(self.values)}, self.again).values()
        return found


def expected(values: Floats) -> float:
    with np.errstate(over="ignore"):
        return float(np.median(values))


@given(COLUMN, st.lists(st.integers(0, 200), max_size=4), st.sampled_from([0, 1, 2, 5, 1 << 18]))
@example([1.0, 1.0], [], 0)
@example([1.0, 2.0], [1], 0)
@example([-5e-324, 5e-324], [], 0)
@example([-0.0, 0.0, 0.0], [], 0)
@example([1.7976931348623157e308, 1.7976931348623157e308], [], 0)
@settings(max_examples=400, deadline=None)
def test_the_median_is_numpys_whatever_the_values_the_pieces_and_the_memory(
    values: list[float], cuts: list[int], few: int
):
    column = Column(values, cuts)
    with mock.patch.object(median, "MAX_COLLECTED", few):
        assert column.median() == expected(column.values)
    assert column.passes <= 4


@pytest.mark.parametrize(
    ("values", "few", "passes"),
    [
        ([3.0, 1.0, 2.0], 1, 1),  # different in the first digit: one value to gather
        ([1.0 + step * 2.0**-20 for step in range(9)], 1, 2),  # in the second
        ([1.0 + step * 2.0**-36 for step in range(9)], 1, 3),  # in the third
        ([1.0 + step * 2.0**-52 for step in range(9)], 1, 4),  # in the last
        ([7.0] * 9, 1, 4),  # in none
        ([1.0 + step * 2.0**-52 for step in range(9)], 9, 1),  # few enough to gather at once
    ],
)
def test_the_search_narrows_only_as_far_as_it_must(values: list[float], few: int, passes: int):
    column = Column(values)
    with mock.patch.object(median, "MAX_COLLECTED", few):
        assert column.median() == expected(column.values)
    assert column.passes == passes


@pytest.mark.parametrize("equal", [2, 3, 8, 9])
@pytest.mark.parametrize("others", list(itertools.product(range(4), range(4))))
def test_the_middle_pair_may_straddle_the_end_of_a_run_of_equals(equal: int, others: tuple[int, int]):
    below, above = others
    column = Column([-1.0] * below + [1.0] * equal + [2.0] * above)
    with mock.patch.object(median, "MAX_COLLECTED", 1):
        assert column.median() == expected(column.values)


def test_columns_are_searched_side_by_side_and_an_empty_one_has_no_median():
    columns = {"a": np.array([1.0, 2.0, 3.0, 4.0]), "b": np.arange(9.0), "none": np.empty(0)}
    asked: list[list[str]] = []

    def again(names: list[str]) -> Iterator[tuple[str, Floats]]:
        asked.append(names)
        yield from ((name, columns[name]) for name in names)

    digits = {name: count_digits(values) for name, values in columns.items()}
    assert medians(digits, again) == {"a": 2.5, "b": 4.0}
    assert asked == [["a", "b"]]


def test_many_values_take_one_more_pass():
    values = np.random.default_rng(0).lognormal(size=500_000)
    column = Column(values, range(0, 500_000, 65_536))
    assert column.median() == expected(values)
    assert column.passes == 1
