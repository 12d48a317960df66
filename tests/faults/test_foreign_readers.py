"""Damaged documents in every reader of foreign bytes: a value or one error, in bounded time and memory."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
from faults.foreign_readers import READERS
from faults.fuzzing import MEMORY, fuzz, limit_process

EXAMPLES = 1_000  # of each reader in every run
MANY = 1_000_000  # of all together, here below
MANY_COSTLY = 5_000  # of each reader that asks a server or git
STEP = 2_500


@pytest.mark.parametrize("name", READERS)
def test_damaged_documents(name: str) -> None:
    fuzz(name, range(EXAMPLES))


@pytest.mark.parametrize("name", READERS)
def test_the_valid_document_is_read(name: str) -> None:
    READERS[name].read(READERS[name].content)


def test_a_list_in_the_configuration_takes_no_time() -> None:
    fuzz(".dvc/config", range(11140, 11141))


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_many_damaged_documents(name: str) -> None:
    """In two processes of their own, whose memory is theirs alone."""
    start, number = EXAMPLES, many(name)
    parts = [range(first, min(first + STEP, start + number)) for first in range(start, start + number, STEP)]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), limit_process) as pool:
        found = list(pool.map(fuzz, [name] * len(parts), parts))
    assert max(memory for _, memory in found) <= MEMORY


def many(name: str) -> int:
    """Return how many examples a reader gets, so that all together get at least MANY."""
    costly = sum(reader.costly for reader in READERS.values())
    cheap = len(READERS) - costly
    return MANY_COSTLY if READERS[name].costly else -(-(MANY - costly * MANY_COSTLY) // cheap)
