"""What embedding refuses: settings, models and vectors that would give a wrong index, each with a line that cures."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from chunk_embed.embedding import check_vectors
from chunk_embed.settings import EmbedSettings
from stage.errors import SchemaMismatch, UsageError
from unit.chunk_embed.conftest import MODEL, REVISION, Desk, closing_line

pytestmark = pytest.mark.extended  # test_embed.py has one of each in make test

OTHER = {"model": "somebody/some-model", "revision": "0123456789abcdef0123456789abcdef01234567"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"batch": 8}, "unknown key batch; fix: use one of: chunk-size, chunk-overlap, "),
        ({"model": ""}, "model is not set; fix: set model and revision, for example to sentence-transformers/"),
        (
            {"revision": "main"},
            "invalid revision 'main': expected a commit, because a branch or tag may move; fix: use the 40 hex",
        ),
        ({"precision": "int8"}, "unknown precision 'int8'; fix: use one of: float32, bfloat16"),
        ({"engine": "spark"}, "unknown engine 'spark'; fix: use one of: auto, local, ray"),
        ({"batch-tokens": 0}, "invalid batch-tokens 0; fix: set it to a number from 1 to 16777216"),
        ({"threads": -1}, "invalid threads -1; fix: set it to a number from 0 to 1024"),
        ({"backend": "openvino", "device": "cuda"}, "backend openvino does not support device cuda; fix: set backend"),
        (
            {"chunk-size": 1500, "chunk-overlap": 1400},
            "invalid chunk-overlap 1400; fix: set it to a number from 0 to half of chunk-size",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_invalid_settings(settings: dict[str, object], told: str, tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text(json.dumps({"chunk-embed": {"model": MODEL, "revision": REVISION, **settings}}))
    with pytest.raises(UsageError) as refused:
        EmbedSettings.read(params)
    assert told in str(refused.value) and str(params) in str(refused.value)


def test_more_tokens_than_the_model_takes(desk: Desk) -> None:
    told = desk.refused(2, settings={"max-tokens": 512})
    assert told == (f"error: chunk-embed: invalid max-tokens 512: {MODEL} takes 256; fix: lower it, or remove it")


def test_a_gpu_that_is_not_there(desk: Desk) -> None:
    told = desk.refused(2, settings={"device": "cuda"})
    assert told.startswith("error: device: cuda: GPU not found; fix: set device: auto, or install a CUDA build")


@pytest.mark.parametrize(
    ("vectors", "told"),
    [
        ([[1, 0], [np.nan, 1]], "b chunk 7: vector contains NaN or infinity"),
        ([[1, 0], [np.inf, 1]], "b chunk 7: vector contains NaN or infinity"),
        ([[0, 0], [1, 0]], "a chunk 0: vector is zero, so no cosine search finds it"),
        ([[1, 0]], "a chunk 0: expected 2 vectors, got an array of shape (1, 2)"),
        ([[], []], "a chunk 0: expected 2 vectors, got an array of shape (2, 0)"),
    ],
)
def test_invalid_vectors(vectors: list[list[float]], told: str) -> None:
    with pytest.raises(SchemaMismatch, match="fix: ") as refused:
        check_vectors(np.array(vectors, np.float32), ["a chunk 0", "b chunk 7"])
    assert str(refused.value).startswith(told)


def test_a_model_that_computes_no_numbers(desk: Desk, copied_model: Path) -> None:
    path = copied_model / "model.safetensors"
    data = bytearray(path.read_bytes())
    (size,) = struct.unpack("<Q", data[:8])
    start, end = json.loads(data[8 : 8 + size])["embeddings.LayerNorm.weight"]["data_offsets"]
    data[8 + size + start : 8 + size + end] = np.full((end - start) // 4, np.nan, np.float32).tobytes()
    path.write_bytes(data)
    told = desk.refused(22, settings={**OTHER, "backend": "torch"}, MODEL_FOLDER=str(copied_model))
    assert "project-" in told and " chunk " in told and "vector contains NaN or infinity; fix: " in told


def _other_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _only_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _own_module(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "custom_st.Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))


def _own_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "modeling.Model"}}))


@pytest.mark.parametrize(
    ("damage", "code", "told"),
    [
        (_other_weights, 11, "model.safetensors: expected SHA-256 "),
        (_only_a_pickle, 13, "pytorch_model.bin is a pickle, which can run any code"),
        (_own_module, 13, "requires custom code (custom_st.Transformer), which is not supported"),
        (_own_code, 13, "requires custom code (auto_map), which is not supported"),
        (lambda folder: (folder / "model.safetensors").unlink(), 10, "model.safetensors not found"),
        (
            lambda folder: (folder / "modules.json").unlink(),
            10,
            "modules.json not found; fix: use a ",
        ),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), 23, "tokenizer.json: invalid tokenizer: "),
        (lambda folder: (folder / "config.json").write_text("{"), 23, "config.json: invalid JSON: "),
        (shutil.rmtree, 10, "folder not found; fix: correct MODEL_FOLDER"),
    ],
)
def test_invalid_models(damage: Callable[[Path], None], code: int, told: str, desk: Desk, copied_model: Path) -> None:
    damage(copied_model)
    assert told in desk.refused(code, MODEL_FOLDER=str(copied_model))


def test_missing_inputs(desk: Desk) -> None:
    release = desk.folder / "readmes/release.json"
    release.write_text('{"dataset": "x"}')
    assert "version is missing; fix: run the stage registry again" in desk.refused(23)
    release.unlink()
    assert desk.refused(10) == "error: readmes/release.json: file not found; fix: run the stage registry"


def test_invalid_queries(desk: Desk) -> None:
    for given, code, told in (
        ("not JSON", 2, "error: stdin: invalid JSON: "),
        ("[]", 2, "error: stdin: no queries; fix: give a JSON array of strings, or TEXT"),
        ('["good", " "]', 20, "error: query 2: is empty; fix: "),
        (json.dumps(["word " * 300]), 20, "error: query 1: has 302 tokens, more than the 256 "),
    ):
        asked = desk.run("query", "--params", "params.yaml", given=given)
        assert (asked.returncode, asked.stdout) == (code, ""), asked.stderr
        assert closing_line(asked.stderr).startswith(told)
