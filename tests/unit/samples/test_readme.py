import re
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[3] / "tools" / "samples" / "README.md"


def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [example] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    writing, _, reading = example.partition("\n\nread_manifest")
    names: dict[str, Any] = {}
    exec(writing, names)
    for line in f"read_manifest{reading}".splitlines():
        expression, _, expected = line.partition("  # ")
        assert str(eval(expression, names)).startswith(expected.strip("'…")), line
