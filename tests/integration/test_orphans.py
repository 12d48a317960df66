"""registry doctor finds what a killed database has left."""

import os
import signal
from pathlib import Path

import pytest
from registry.doctor.doctor import Check, examine
from registry.services.embedded import administrator, embedded

pytestmark = pytest.mark.extended


def look(root: Path) -> Check:
    (found,) = [check for check in examine(root, "local") if check.name == "database files"]
    return found


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ENV", "PGVECTOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_files_of_a_killed_transaction_are_reported_and_committed_ones_are_not(clone: Path) -> None:
    assert not [check for check in examine(clone, "local") if check.name == "database files"]  # no database, no files
    with embedded(clone), administrator(clone) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    assert look(clone) == Check("database files", "none", needed=False)
    with embedded(clone):
        connection = administrator(clone)
        connection.autocommit = False
        connection.execute("CREATE TABLE lost AS SELECT generate_series(1, 100000) AS n")
        connection.execute("CHECKPOINT")
        assert look(clone).result == "not checked: another session is writing"
        os.kill(connection.info.backend_pid, signal.SIGKILL)
    found = look(clone)
    assert not found.is_ok and not found.needed
    assert found.result.startswith("1 left by killed loads, 3.") and found.result.endswith(" MB")
    assert found.fix == "to free the space: rm -rf .local/postgres, then make load and make switch"
