"""The real wine data become, byte for byte, the file that its consumers have always read."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from unit.parquetizer.tables import RAW, SAMPLES, run_table

PARAMS = Path(__file__).parents[3] / "data/wine-quality/params.yaml"
MIRROR = Path(os.environ.get("FETCH_MIRROR") or "no mirror")
RED = "4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e"
WHITE = "76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836"
TABLE = "aca103722bace33c3cc9c8080aa89645e88f74999004060a381ddce6216f0518"


@pytest.mark.skipif(not (MIRROR / RED).is_file(), reason="FETCH_MIRROR names no folder that holds the wine data")
def test_the_wine_table_has_its_contracted_bytes():
    RAW.mkdir()
    shutil.copy(MIRROR / RED, RAW / "winequality-red.csv")
    shutil.copy(MIRROR / WHITE, RAW / "winequality-white.csv")
    outcome = run_table(PARAMS, "processed/wine-quality.csv")
    assert outcome.result == {"output": "processed/wine-quality.csv", "rows": 6497, "sha256": TABLE}
    assert hashlib.sha256(outcome.output.read_bytes()).hexdigest() == TABLE
    assert SAMPLES.is_file()
