"""``python tests/bench`` runs all benches, ``python tests/bench images text`` some."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools" / "chunk-embed")]  # the latter without its libraries

from bench.run import main  # noqa: E402

main()
