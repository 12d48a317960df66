"""What keeps ``tools/stage`` small: few lines, two dependencies."""

import ast
import io
import tokenize
import tomllib
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "tools" / "stage"


def lines_of_code(source: str) -> int:
    """Count the lines that hold code: no blanks, comments or docstrings."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in layout:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                match node.body[:1]:
                    case [ast.Expr(value=ast.Constant(value=str())) as text]:
                        lines.difference_update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return len(lines)


def test_lines_are_counted_without_blanks_comments_and_docstrings():
    assert (
        lines_of_code('"""Doc\nstring."""\n\n# why\nx = (1,\n     2)  # y\ndef f():\n    """Do."""\n    return x\n')
        == 4
    )


def test_the_package_has_at_most_650_lines():
    counted = {path.name: lines_of_code(path.read_text()) for path in (FOLDER / "stage").glob("**/*.py")}
    assert sum(counted.values()) <= 650, counted


def test_it_depends_on_click_and_a_yaml_reader_only():
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    assert sorted(item.split(">=")[0] for item in project["dependencies"]) == ["click", "pyyaml"]
    assert "optional-dependencies" not in project


def test_it_imports_nothing_else():
    import sys

    allowed = sys.stdlib_module_names | {"click", "yaml", "stage"}
    found = {
        name.split(".")[0]
        for path in (FOLDER / "stage").glob("**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else ["stage" if node.level else node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert found <= allowed
