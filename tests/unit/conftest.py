"""What tests of several tools start from."""

import pytest


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """MLflow's records with nothing in them, for each test to copy: making the tables takes a second."""
    from registry.services.tracking import connected  # slow to load, and few tests need it

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with connected(f"sqlite:///{path}"):
        return path.read_bytes()
