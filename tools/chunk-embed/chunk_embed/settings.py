"""The section ``chunk-embed`` of params.yaml."""

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
MAXIMUM: Final = {"max_tokens": 1 << 20, "batch_tokens": 1 << 24, "threads": 1024, "actors": 1024}


@dataclasses.dataclass(frozen=True)
class EmbedSettings(ChunkSettings):
    """How to split and embed; ``precision`` and the fields above it determine the result, the others only the speed."""

    model: str = ""
    revision: str = ""
    max_tokens: int = 0  # 0: as many as the model takes
    precision: str = "float32"
    backend: str = "auto"
    device: str = "auto"
    engine: str = "auto"
    batch_tokens: int = 2000
    threads: int = 0  # 0: as many as there are cores
    actors: int = 0  # 0: by the number of cores

    @classmethod
    def read(cls, path: Path) -> "EmbedSettings":
        """Read the section ``chunk-embed`` of a params file. Raises UsageError for an unknown key or invalid value."""
        where = f"{path} {SECTION}"
        settings = params.build(cls, params.section(path, SECTION), where)
        settings.check(where)
        return settings

    def check(self, where: str) -> None:
        """Raise UsageError for an invalid value."""
        super().check(where)
        if not self.model:
            fix = "set model and revision, for example to sentence-transformers/all-MiniLM-L6-v2 and its commit"
            raise UsageError(where, "model is not set", fix)
        if self.revision and not COMMIT.fullmatch(self.revision):
            what = f"invalid revision {self.revision!r:.60}: expected a commit, because a branch or tag may move"
            raise UsageError(where, what, "use the 40 hex digits of the commit")
        for name, choices in CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise UsageError(where, f"unknown {name} {value!r:.40}", f"use one of: {', '.join(choices)}")
        for name, maximum in MAXIMUM.items():
            minimum = int(name == "batch_tokens")
            if not minimum <= (value := getattr(self, name)) <= maximum:
                fix = f"set it to a number from {minimum} to {maximum}"
                raise UsageError(where, f"invalid {name.replace('_', '-')} {value}", fix)
        if self.backend == "openvino" and self.device == "cuda":
            raise UsageError(where, "backend openvino does not support device cuda", "set backend: torch, or auto")
