import math
import statistics
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stats.histogram import Histogram

VALUES = st.lists(st.integers(0, 300), min_size=1, max_size=80)
CUTS = st.lists(st.integers(0, 80), max_size=6)


def histogram(values: list[int], cuts: list[int], kind: type = np.int64) -> Histogram:
    found = Histogram()
    pieces: list[Any] = np.split(np.array(values, kind), sorted(cut % (len(values) + 1) for cut in cuts))
    for piece in pieces:
        found.add(piece)
    return found


@given(VALUES, CUTS)
@example([0], [])
@example([0, 0, 0, 1], [1])
@example([255] * 9, [3, 3])
@settings(max_examples=400, deadline=None)
def test_the_figures_are_those_of_statistics_however_the_values_are_cut(values: list[int], cuts: list[int]):
    found = histogram(values, cuts)
    assert found.count == len(values)
    assert found.mean == float(Fraction(sum(values), len(values))), "the nearest double"
    assert found.median == statistics.median(values)
    assert (found.min, found.max) == (min(values), max(values))
    assert found.std(ddof=0) == pytest.approx(statistics.pstdev(values), rel=1e-14)
    if len(values) > 1:
        assert found.std(ddof=1) == pytest.approx(statistics.stdev(values), rel=1e-14)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=60), CUTS)
@settings(max_examples=100, deadline=None)
def test_bytes_do_not_overflow(values: list[int], cuts: list[int]):
    found = histogram(values, cuts, np.uint8)
    assert found.mean == pytest.approx(np.mean(values), rel=1e-14)
    assert found.std(ddof=0) == pytest.approx(np.std(values), rel=1e-12)


def test_nothing_has_no_figures():
    found = Histogram()
    found.add(np.empty(0, np.int64))
    assert found.count == 0
    assert [found.mean, found.min, found.max, found.median, found.std(0), found.std(1)] == [None] * 6


def test_one_value_has_no_spread_of_a_sample():
    found = histogram([7], [])
    assert (found.std(ddof=0), found.std(ddof=1)) == (0.0, None)


def test_the_spread_of_many_large_values_is_exact():
    """Sums of squares reach 10^21, past what 64 bits hold; their difference is small beside them."""
    found = Histogram()
    for value in (1_000_000, 1_000_001):
        found.add(np.full(500_000_000 // 1_000, value))
    for _ in range(9):
        found._counts = found._counts * 2
    assert found.count == 512_000_000
    assert found.mean == 1_000_000.5
    assert found.std(ddof=0) == 0.5
    assert found.std(ddof=1) == pytest.approx(0.5 * math.sqrt(512_000_000 / 511_999_999), rel=1e-15)
    assert found.median == 1_000_000.5
