from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a dataset, and the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
