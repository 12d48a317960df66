"""Damaged documents in every reader of foreign bytes: a value or one error, in bounded time and memory."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
from faults.foreign_readers import READERS, fuzz

EXAMPLES = 1_000  # of each reader
MANY = 1_000_000  # of all
MEMORY = 512 << 20
STEP = 2_500


@pytest.mark.parametrize("name", READERS)
def test_damaged_documents(name: str) -> None:
    fuzz(name, range(EXAMPLES))


@pytest.mark.slow
def test_a_million_damaged_documents() -> None:
    """In two processes of their own, whose peak memory is theirs alone."""
    each = MANY // len(READERS)
    parts = [(name, range(start, start + STEP)) for start in range(EXAMPLES, EXAMPLES + each, STEP) for name in READERS]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(fuzz, *zip(*parts, strict=True)))
    assert max(memory for _, memory in found) <= MEMORY
