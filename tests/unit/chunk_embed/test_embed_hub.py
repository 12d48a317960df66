"""A model of Hugging Face's: fetched once at its commit, checked, and asked for only where that is allowed."""

import socket
from pathlib import Path

import numpy as np
import pytest
from unit.chunk_embed.conftest import Desk
from unit.chunk_embed.hub_server import Hub

pytestmark = pytest.mark.extended  # test_embed.py has one of each in make test

NAME, COMMIT = "somebody/some-model", "0123456789abcdef0123456789abcdef01234567"
OTHER = {"model": NAME, "revision": COMMIT, "backend": "torch"}


@pytest.fixture
def hub(model_folder: Path) -> Hub:
    files = [path for path in model_folder.rglob("*") if path.is_file()]
    return Hub(NAME, COMMIT, {path.relative_to(model_folder).as_posix(): path.read_bytes() for path in files})


def test_it_is_fetched_once_and_then_used_offline(desk: Desk, hub: Hub, reference: Desk) -> None:
    with hub.running() as address:
        desk.made(settings=OTHER, HF_HUB_OFFLINE="0", HF_ENDPOINT=address)
        assert sum("model.safetensors" in path for path in hub.asked) == 1
        assert not any(path.endswith("README.md") for path in hub.asked)
        asked = len(hub.asked)
        assert np.abs(desk.vectors() - reference.vectors()).max() <= 1e-6
        assert desk.made(settings=OTHER, HF_ENDPOINT=address)["engine"] == "none"
        assert len(hub.asked) == asked


def test_offline_it_is_missing_and_nobody_is_asked(desk: Desk, hub: Hub) -> None:
    with hub.running() as address:
        told = desk.refused(10, settings=OTHER, HF_ENDPOINT=address)
    assert told == (
        f"error: {NAME}@{COMMIT[:12]}: model not found, and HF_HUB_OFFLINE is not 0; "
        "fix: set HF_HUB_OFFLINE=0 to fetch it once, or MODEL_FOLDER to its folder"
    )
    assert not hub.asked


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (401, 13, "the Hub returned HTTP status 401; fix: correct model and revision, or set HF_TOKEN"),
        (404, 13, "the Hub returned HTTP status 404; fix: correct model and revision, or set HF_TOKEN"),
        (500, 12, "request to the Hub failed: "),
    ],
)
def test_a_hub_that_says_no(status: int, code: int, told: str, desk: Desk, hub: Hub) -> None:
    hub.status = status
    with hub.running() as address:
        assert told in desk.refused(code, settings=OTHER, HF_HUB_OFFLINE="0", HF_ENDPOINT=address)


def test_a_hub_that_is_down(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    assert "cannot connect to the Hub: " in desk.refused(12, settings=OTHER, HF_HUB_OFFLINE="0", HF_ENDPOINT=address)


def test_weights_that_are_only_a_pickle_are_not_fetched(desk: Desk, hub: Hub) -> None:
    hub.files["pytorch_model.bin"] = hub.files.pop("model.safetensors")
    with hub.running() as address:
        told = desk.refused(13, settings=OTHER, HF_HUB_OFFLINE="0", HF_ENDPOINT=address)
    assert "no safetensors weights found, only pytorch_model.bin; fix: " in told
    assert not any("pytorch_model" in path for path in hub.asked)


def test_weights_that_are_not_those_of_the_commit(desk: Desk, hub: Hub) -> None:
    """A bit that changed on the way is seen, and the file is not kept: the next run fetches it again."""
    good = hub.files["model.safetensors"]
    hub.sent["model.safetensors"] = good[:-1] + bytes([good[-1] ^ 1])
    with hub.running() as address:
        told = desk.refused(11, settings=OTHER, HF_HUB_OFFLINE="0", HF_ENDPOINT=address)
        assert "model.safetensors: expected SHA-256 " in told and " as on the Hub, got " in told
    hub_folder = desk.folder / ".cache/hub"
    assert not [path for path in hub_folder.rglob("*") if path.is_file() and path.stat().st_size == len(good)]


def test_a_download_that_is_cut(desk: Desk, hub: Hub) -> None:
    hub.cut = 1000
    with hub.running() as address:
        assert "error: somebody/some-model@" in desk.refused(
            12, settings=OTHER, HF_HUB_OFFLINE="0", HF_ENDPOINT=address
        )
