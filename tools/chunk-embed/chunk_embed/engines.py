"""Run the batches: in this process, or in the actors of Ray."""

import logging
import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

from chunk_embed.encoders import load_encoder
from chunk_embed.machine import usable_cores
from chunk_embed.model import Model
from chunk_embed.settings import EmbedSettings
from chunk_embed.tensors import Vectors

log = logging.getLogger(__name__)
RAY_FROM: Final = 5000  # chunks: less does not pay for starting Ray
MANY_CORES: Final = 16  # enough for several actors

Texts = Sequence[Sequence[int]]


def choose_engine(settings: EmbedSettings, chunks: int) -> str:
    """Return ``ray`` where it is asked for or pays: a cluster, or many chunks and the cores for several actors."""
    if settings.engine != "auto":
        return settings.engine
    if os.environ.get("RAY_ADDRESS"):
        return "ray"
    return "ray" if chunks >= RAY_FROM and usable_cores() >= MANY_CORES else "local"


def run_batches(
    engine: str, model: Model, settings: EmbedSettings, cache: Path | None, texts: Texts, batches: list[list[int]]
) -> Generator[tuple[int, Vectors]]:
    """Yield the number of each batch and its vectors, in any order; ``texts`` are token numbers.

    The model of this process is loaded before the first is asked for.
    """
    if engine == "ray":
        from chunk_embed.ray_engine import run_on_ray

        return run_on_ray(model, settings, cache, texts, batches)
    return _run_here(model, settings, cache, texts, batches)


def _run_here(
    model: Model, settings: EmbedSettings, cache: Path | None, texts: Texts, batches: list[list[int]]
) -> Generator[tuple[int, Vectors]]:
    encoder = load_encoder(model, settings, cache)
    log.info("embedding in this process, with %s", encoder.name)
    return ((number, encoder.encode([texts[place] for place in batch])) for number, batch in enumerate(batches))
