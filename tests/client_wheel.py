"""Build the client as a source distribution and, from that, a wheel, and check both. Run as ``make client-wheel``."""

import subprocess
import sys
import tempfile
from pathlib import Path

from data_registry.clone import repository


def build(project: Path, out: Path) -> list[Path]:
    """Build both into a folder, and return them; what an earlier build has left there is replaced.

    Raises CalledProcessError where they cannot be built, or ``twine check`` finds a mistake.
    """
    with tempfile.TemporaryDirectory() as folder:
        # The build backend is in this environment's lock: nothing unpinned is fetched.
        build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, str(project)]
        subprocess.run(build, check=True, stdout=sys.stderr)
        made = sorted(Path(folder).iterdir())
        subprocess.run(
            [sys.executable, "-m", "twine", "check", "--strict", *map(str, made)], check=True, stdout=sys.stderr
        )
        out.mkdir(exist_ok=True)
        return [Path(file.replace(out / file.name)) for file in made]


if __name__ == "__main__":
    for path in build(repository() / "tools" / "client", repository() / "dist"):
        print(path)
