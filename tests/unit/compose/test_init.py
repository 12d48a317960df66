"""The set-up of the Compose stack waits for services that are slow to come up."""

import importlib.util
from pathlib import Path

import pytest
import tenacity


def test_storage_that_does_not_answer_yet_is_asked_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens, its client raises what is neither an OSError nor one of its own errors."""
    spec = importlib.util.spec_from_file_location("init", root / "compose/init/init.py")
    assert spec and spec.loader
    init = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(init)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # a reserved port: closed
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _: None)  # its client tries a few times itself
    asked: list[int] = []
    again = init.make_buckets.retry_with(
        stop=tenacity.stop_after_attempt(2),
        wait=tenacity.wait_none(),
        before_sleep=lambda state: asked.append(state.attempt_number),
    )
    with pytest.raises(init.EXPECTED):
        again()
    assert asked == [1]
