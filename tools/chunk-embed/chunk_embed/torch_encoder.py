"""Embed with torch, as sentence-transformers loads the model: on a GPU, or where OpenVINO does not serve."""

import logging
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from stage.errors import CorruptFile, UsageError

from chunk_embed.model import Model
from chunk_embed.tensors import NO_BFLOAT16, Vectors, no_memory, padded


def load_sentence_transformer(model: Model, device: str) -> Any:
    """Load a model from its folder alone: no network, no code of its own. Raises CorruptFile."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    import transformers
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer

    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    options = {"use_safetensors": True}
    try:
        loaded = SentenceTransformer(
            str(model.folder), device=device, local_files_only=True, trust_remote_code=False, model_kwargs=options
        )
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        what = f"cannot be loaded: {(str(error) or repr(error)).splitlines()[0]:.150}"
        raise CorruptFile(model.folder, what, "get the model again, or use another") from error
    return loaded.eval()


class TorchEncoder:
    """A sentence-transformers model on the processor or a GPU."""

    def __init__(self, model: Model, precision: str, threads: int, name: str) -> None:
        import torch

        self.name = name
        device = "cuda" if name == "cuda" else "cpu"
        torch.set_num_threads(threads)
        capability = torch.backends.cpu.get_cpu_capability()
        if precision == "bfloat16" and device == "cpu" and not capability.startswith("AVX512"):
            raise UsageError("precision: bfloat16", "this processor does not compute with it", NO_BFLOAT16)
        self._torch, self._device = torch, device
        self._model = load_sentence_transformer(model, device).to(getattr(torch, precision))

    def encode(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """Return the vectors of a batch. Raises OutOfMemory."""
        torch = self._torch
        ids, mask = (torch.from_numpy(each).to(self._device) for each in padded(batch))
        try:
            with torch.inference_mode():
                found = self._model({"input_ids": ids, "attention_mask": mask})["sentence_embedding"]
                return np.asarray(found.float().cpu().numpy())
        except torch.OutOfMemoryError as error:
            raise no_memory(error) from error
