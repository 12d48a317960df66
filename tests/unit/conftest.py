"""What several unit tests start from."""

import os
import sys
from pathlib import Path

import pytest
from conftest import alone
from registry.services.tracking import connected


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """MLflow's records with nothing in them, for each test to copy.

    Making the tables takes many seconds, so they are kept in the environment, which another MLflow has another one of.
    """
    kept = Path(sys.prefix) / "mlflow-empty.db"
    with alone("mlflow"):
        if not kept.exists():
            made = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
            with connected(f"sqlite:///{made}"):
                whole = made.read_bytes()
            part = kept.with_suffix(f".{os.getpid()}")
            part.write_bytes(whole)
            part.replace(kept)
        return kept.read_bytes()
