import json
import subprocess
from pathlib import Path

README = Path(__file__).parents[3] / "tools" / "parquetizer" / "README.md"


def test_the_example_of_the_readme_runs(tmp_path: Path) -> None:
    script = README.read_text().partition("```sh\n")[2].partition("```")[0]
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 2
