import re
from pathlib import Path
from typing import Any

from click.testing import CliRunner

README = Path(__file__).parents[3] / "tools" / "stage" / "README.md"


def test_the_example_of_the_readme_runs(tmp_path: Path) -> None:
    text = README.read_text()
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0], names)
    source, output = tmp_path / "a.txt", tmp_path / "b.txt"
    source.write_text("a")
    assert CliRunner().invoke(names["cli"], ["convert", str(source), str(output)]).exit_code == 0
    assert output.read_text() == "A"
    source.write_text("")
    result = CliRunner().invoke(names["cli"], ["convert", str(source), str(output)])
    assert (result.exit_code, output.read_text()) == (21, "A")
    assert result.stderr.strip().replace(str(source), "a.txt") in text
