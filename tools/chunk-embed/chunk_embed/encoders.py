"""Turn batches of token ids into vectors, with OpenVINO on a CPU or with torch."""

import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from stage.errors import OutOfMemory, UsageError

from chunk_embed.export import EXPORT, find_export, import_openvino, make_export
from chunk_embed.machine import usable_cores
from chunk_embed.model import Model, load_sentence_transformer
from chunk_embed.settings import EmbedSettings

Vectors = npt.NDArray[np.float32]  # shape (texts, dimension)
CPU_BUILD: Final = "+cpu"  # version suffix of a torch build without GPU support
OPENVINO_PRECISION: Final = {"float32": "f32", "bfloat16": "bf16"}


class Encoder(Protocol):
    """A loaded model; ``name`` is ``openvino``, ``torch`` or ``cuda``."""

    name: str

    def encode(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """Return the vectors of texts given as token ids. Raises OutOfMemory."""


class OpenVinoEncoder:
    """A sentence-transformers model, pooling included, in OpenVINO: its vectors equal torch's to about 3e-7."""

    name = "openvino"

    def __init__(self, model: Model, precision: str, threads: int, cache: Path | None) -> None:
        core = import_openvino().Core()
        if precision == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise _no_bfloat16()
        options = {
            "INFERENCE_PRECISION_HINT": OPENVINO_PRECISION[precision],  # the default is bf16 if the CPU supports it
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        with tempfile.TemporaryDirectory(prefix="export-") as scratch:
            folder = find_export(model, cache) or make_export(model, cache, Path(scratch))
            self._request = core.compile_model(str(folder / EXPORT), "CPU", options).create_infer_request()

    def encode(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """Return the vectors of a batch. Raises OutOfMemory."""
        ids, mask = _padded(batch)
        try:
            vectors = self._request.infer({"input_ids": ids, "attention_mask": mask})[0]
        except RuntimeError as error:
            if "memory" in str(error).lower() or "bad_alloc" in str(error):
                raise _out_of_memory(error) from error
            raise
        return np.array(vectors, np.float32)  # a copy, because the request reuses its buffer


class TorchEncoder:
    """A sentence-transformers model in torch, on a CPU or GPU."""

    def __init__(self, model: Model, precision: str, threads: int, name: str) -> None:
        import torch  # slow

        self.name = name
        device = "cuda" if name == "cuda" else "cpu"
        torch.set_num_threads(threads)
        capability = torch.backends.cpu.get_cpu_capability()
        if precision == "bfloat16" and device == "cpu" and not capability.startswith("AVX512"):
            raise _no_bfloat16()
        self._torch, self._device = torch, device
        self._model = load_sentence_transformer(model, device).to(getattr(torch, precision))

    def encode(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """Return the vectors of a batch. Raises OutOfMemory."""
        torch = self._torch
        ids, mask = (torch.from_numpy(array).to(self._device) for array in _padded(batch))
        try:
            with torch.inference_mode():
                vectors = self._model({"input_ids": ids, "attention_mask": mask})["sentence_embedding"]
                return np.asarray(vectors.float().cpu().numpy())
        except torch.OutOfMemoryError as error:
            raise _out_of_memory(error) from error


def load_encoder(model: Model, settings: EmbedSettings, cache: Path | None, threads: int = 0) -> Encoder:
    """Load the model on a GPU if there is one, otherwise in OpenVINO.

    Raises UsageError if the settings require hardware that is not available.
    """
    name, threads = backend(settings), threads or settings.threads or usable_cores()
    if name == "openvino":
        return OpenVinoEncoder(model, settings.precision, threads, cache)
    return TorchEncoder(model, settings.precision, threads, name)


def backend(settings: EmbedSettings) -> str:
    """Return ``openvino``, ``torch`` (on the CPU) or ``cuda``. Raises UsageError if no GPU is found for ``cuda``."""
    use_gpu = settings.device != "cpu" and settings.backend != "openvino" and has_gpu()
    if settings.device == "cuda" and not use_gpu:
        fix = "set device: auto, or install a CUDA build of torch on a machine with a GPU"
        raise UsageError("device: cuda", "GPU not found", fix)
    if use_gpu:
        return "cuda"
    return "torch" if settings.backend == "torch" else "openvino"


def has_gpu() -> bool:
    """Return whether torch can use a GPU; a CPU build is recognised without importing it, which takes seconds."""
    if version("torch").endswith(CPU_BUILD):
        return False
    import torch  # slow

    return bool(torch.cuda.is_available())


def _padded(batch: Sequence[Sequence[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return token ids and attention mask, both of shape (texts, length of the longest)."""
    ids = np.zeros((len(batch), max(map(len, batch))), np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask


def _no_bfloat16() -> UsageError:
    fix = "set precision: float32, or use a CPU with avx512_bf16 or AMX"
    return UsageError("precision: bfloat16", "not supported by this CPU", fix)


def _out_of_memory(error: Exception) -> OutOfMemory:
    return OutOfMemory("model", f"not enough memory: {str(error).splitlines()[0]:.100}", "lower batch-tokens")
