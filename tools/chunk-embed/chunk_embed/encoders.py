"""Turn batches of token numbers into vectors, with OpenVINO on a processor or with torch."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, Protocol

from stage.errors import UsageError

from chunk_embed.machine import usable_cores
from chunk_embed.model import Model
from chunk_embed.settings import EmbedSettings
from chunk_embed.tensors import Vectors

CPU_BUILD: Final = "+cpu"  # in the version of a torch that knows no graphics card


class Encoder(Protocol):
    """A loaded model."""

    name: str  # what computes: openvino, torch or cuda

    def encode(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """Return the vectors of texts given as the numbers of their tokens: float32, shape (texts, dimension)."""


def load_encoder(model: Model, settings: EmbedSettings, cache: Path | None, threads: int = 0) -> Encoder:
    """Load the model where it is fastest: on a GPU if there is one, else with OpenVINO.

    Raises UsageError where the settings ask for what this machine has not.
    """
    wanted = backend(settings)
    if wanted == "openvino":
        from chunk_embed.openvino_encoder import OpenVinoEncoder

        return OpenVinoEncoder(model, settings.precision, threads or cores(settings), cache)
    from chunk_embed.torch_encoder import TorchEncoder

    return TorchEncoder(model, settings.precision, threads or cores(settings), wanted)


def backend(settings: EmbedSettings) -> str:
    """Return what computes: ``openvino``, ``torch`` on the processor, or ``cuda``. Raises UsageError."""
    gpu = settings.device != "cpu" and settings.backend != "openvino" and has_gpu()
    if settings.device == "cuda" and not gpu:
        fix = "set device: auto, or install a CUDA build of torch where there is a GPU"
        raise UsageError("device: cuda", "torch finds no GPU", fix)
    if gpu:
        return "cuda"
    return "torch" if settings.backend == "torch" else "openvino"


def has_gpu() -> bool:
    """Say whether torch can use a GPU, without importing a build of it that cannot: that takes seconds."""
    if version("torch").endswith(CPU_BUILD):
        return False
    import torch

    return bool(torch.cuda.is_available())


def cores(settings: EmbedSettings) -> int:
    """Return how many threads are worth having: those of the settings, or the cores that this process may use."""
    return settings.threads or usable_cores()
