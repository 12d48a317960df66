"""What goes into a model and comes out of it, whatever computes."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from stage.errors import OutOfMemory

Vectors = npt.NDArray[np.float32]  # shape (texts, dimension)
NO_BFLOAT16: Final = "set precision: float32, or run where the processor has avx512_bf16 or AMX"


def padded(batch: Sequence[Sequence[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return token numbers and attention mask, both of shape (texts, length of the longest)."""
    ids = np.zeros((len(batch), max(map(len, batch))), np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask


def no_memory(error: Exception) -> OutOfMemory:
    """Return the error for a batch that was too much."""
    return OutOfMemory("model", f"not enough memory: {str(error).splitlines()[0]:.100}", "lower batch-tokens")
