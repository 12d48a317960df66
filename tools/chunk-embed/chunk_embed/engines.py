"""Make batches of texts, and run them in this process or on Ray."""

import logging
import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

from chunk_embed.encoders import Vectors, load_encoder
from chunk_embed.machine import usable_cores
from chunk_embed.model import Model
from chunk_embed.ray_engine import run_on_ray
from chunk_embed.settings import EmbedSettings

log = logging.getLogger(__name__)
MIN_RAY_CHUNKS: Final = 5000  # starting Ray costs more than it saves for fewer
MIN_RAY_CORES: Final = 16  # enough for several actors

Texts = Sequence[Sequence[int]]  # as token ids


def choose_engine(settings: EmbedSettings, chunks: int) -> str:
    """Return ``local`` or ``ray``: by the settings, else Ray for a cluster, or for many chunks on many cores."""
    if settings.engine != "auto":
        return settings.engine
    if os.environ.get("RAY_ADDRESS"):
        return "ray"
    return "ray" if chunks >= MIN_RAY_CHUNKS and usable_cores() >= MIN_RAY_CORES else "local"


def token_batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Return the indexes of texts in batches of at most ``batch_tokens`` tokens, padding included, longest text first.

    Texts of similar length share a batch, so that there is little padding and batches take about the same time; the
    longest come first, so that a lack of memory is noticed at the start.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > batch_tokens:
            batches.append([])
        batches[-1].append(index)
    return batches


def run_batches(
    engine: str, model: Model, settings: EmbedSettings, cache: Path | None, texts: Texts, batches: list[list[int]]
) -> Generator[tuple[int, Vectors]]:
    """Yield the number of each batch and its vectors, in any order.

    The local engine loads its model before this function returns.
    """
    if engine == "ray":
        return run_on_ray(model, settings, cache, texts, batches)
    return _run_locally(model, settings, cache, texts, batches)


def _run_locally(
    model: Model, settings: EmbedSettings, cache: Path | None, texts: Texts, batches: list[list[int]]
) -> Generator[tuple[int, Vectors]]:
    encoder = load_encoder(model, settings, cache)
    log.info("embedding in this process, with %s", encoder.name)
    return ((number, encoder.encode([texts[index] for index in batch])) for number, batch in enumerate(batches))
