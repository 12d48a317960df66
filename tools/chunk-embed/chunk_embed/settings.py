"""What params.yaml says of chunks and their embedding, in the section ``chunk-embed``."""

import dataclasses
import re
from pathlib import Path
from typing import Final

from stage import params
from stage.errors import UsageError

from chunk_embed.chunks import ChunkSettings

SECTION: Final = "chunk-embed"
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
CHOICES: Final = {
    "precision": ("float32", "bfloat16"),
    "backend": ("auto", "openvino", "torch"),
    "device": ("auto", "cpu", "cuda"),
    "engine": ("auto", "local", "ray"),
}
MOST: Final = {"max_tokens": 1 << 20, "batch_tokens": 1 << 24, "threads": 1024, "actors": 1024}


@dataclasses.dataclass(frozen=True)
class EmbedSettings(ChunkSettings):
    """How documents are cut and embedded; ``precision`` and all above it decide the result, the rest its speed."""

    model: str = ""
    revision: str = ""
    max_tokens: int = 0  # as many as the model takes
    precision: str = "float32"
    backend: str = "auto"
    device: str = "auto"
    engine: str = "auto"
    batch_tokens: int = 2000
    threads: int = 0  # as many as there are cores
    actors: int = 0  # as many as the cores give

    @classmethod
    def read(cls, path: Path) -> "EmbedSettings":
        """Read the section ``chunk-embed`` of a params file. Raises UsageError where it is not as it should be."""
        where = f"{path} {SECTION}"
        settings = params.build(cls, params.section(path, SECTION), where)
        settings.check(where)
        return settings

    def check(self, where: str) -> None:
        """Raise UsageError for a value that cannot be."""
        super().check(where)
        if not self.model:
            raise UsageError(
                where, "no model", "name one, as sentence-transformers/all-MiniLM-L6-v2, with its revision"
            )
        if self.revision and not COMMIT.fullmatch(self.revision):
            what = f"revision {self.revision!r:.60} is no full commit, and a branch or tag may move"
            raise UsageError(where, what, "write the 40 hex digits of the commit")
        for name, choices in CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise UsageError(where, f"unknown {name} {value!r:.40}", f"use one of: {', '.join(choices)}")
        for name, most in MOST.items():
            least = int(name == "batch_tokens")
            if not least <= (value := getattr(self, name)) <= most:
                raise UsageError(where, f"{name.replace('_', '-')} {value} is not {least} to {most}", "correct it")
        if self.backend == "openvino" and self.device == "cuda":
            raise UsageError(where, "OpenVINO does not know device: cuda", "set backend: torch, or auto")
