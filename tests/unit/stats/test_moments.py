import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stats.moments import Moments

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80)
CUTS = st.lists(st.integers(0, 80), max_size=6)


def moments(values: list[float], cuts: list[int]) -> Moments:
    found = Moments()
    for piece in np.split(np.array(values), sorted(cut % (len(values) + 1) for cut in cuts)):
        found.add(piece)
    return found


@given(VALUES, CUTS)
@example([1.0], [])
@example([0.1] * 10, [3])
@settings(max_examples=300, deadline=None)
def test_the_figures_are_numpys_however_the_values_are_cut_into_batches(values: list[float], cuts: list[int]):
    found = moments(values, cuts)
    scale = max(1.0, np.abs(values).max())
    assert found.count == len(values)
    assert found.mean == pytest.approx(np.mean(values), rel=1e-12, abs=1e-13 * scale)
    assert (found.min, found.max) == (min(values), max(values))
    if len(values) > 1:
        assert found.std == pytest.approx(np.std(values, ddof=1), rel=1e-9, abs=1e-12 * scale)
    assert found.digits.total == len(values)


@given(VALUES, CUTS, st.randoms())
@settings(max_examples=100, deadline=None)
def test_the_order_of_the_batches_does_not_matter(values: list[float], cuts: list[int], chance):
    found = moments(values, cuts)
    shuffled = list(values)
    chance.shuffle(shuffled)
    other = moments(shuffled, cuts)
    scale = max(1.0, np.abs(values).max())
    assert found.mean == pytest.approx(other.mean, rel=1e-12, abs=1e-13 * scale)
    assert found.squares == pytest.approx(other.squares, rel=1e-9, abs=1e-12 * scale**2)
    assert (found.min, found.max, found.count) == (other.min, other.max, other.count)
    assert found.digits.digits.tolist() == other.digits.digits.tolist()
    assert found.digits.counts.tolist() == other.digits.counts.tolist()


def test_a_large_offset_does_not_swallow_the_spread():
    """The textbook formula (sum of squares less square of sum) gives nothing of this."""
    values = [1e9 + step for step in (4.0, 7.0, 13.0, 16.0)]
    assert moments(values, [2]).std == pytest.approx(np.sqrt(30.0), rel=1e-12)


def test_nothing_has_no_figures():
    found = Moments()
    found.add(np.empty(0), missing=3)
    assert (found.count, found.missing, found.std) == (0, 3, None)


def test_one_value_has_no_spread():
    found = Moments()
    found.add(np.array([5.0]))
    assert (found.mean, found.min, found.max, found.std) == (5.0, 5.0, 5.0, None)


@pytest.mark.filterwarnings("error")
def test_huge_values_overflow_in_silence():
    found = Moments()
    for _ in range(3):
        found.add(np.array([1.7e308, 1.7e308, -1.7e308]))
    assert (found.min, found.max, found.count) == (-1.7e308, 1.7e308, 9)
    assert found.std is not None
    assert not np.isfinite(found.std)
