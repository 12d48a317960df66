import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from unit.stage import toy


@pytest.fixture
def params(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text("toy:\n  rows: 30\n")
    return path


@pytest.mark.parametrize(
    ("flag", "environment", "file", "rows"),
    [
        (True, True, True, 10),
        (True, False, True, 10),
        (False, True, True, 20),
        (False, True, False, 20),
        (False, False, True, 30),
        (False, False, False, 1),
    ],
)
def test_flag_beats_environment_beats_params_beats_default(
    params: Path, flag: bool, environment: bool, file: bool, rows: int
):
    arguments = ["make", "out", *(["--rows", "10"] if flag else []), *(["--params", str(params)] if file else [])]
    result = CliRunner().invoke(toy.tool, arguments, env={"TOY_ROWS": "20" if environment else None})
    assert result.exit_code == 0
    assert json.loads(result.stdout)["rows"] == rows


def test_params_given_after_the_flag_do_not_beat_it(params: Path):
    result = CliRunner().invoke(toy.tool, ["make", "--rows", "10", "out", "--params", str(params)])
    assert json.loads(result.stdout)["rows"] == 10


@pytest.mark.parametrize("key", ["raws", "output", "params", "verbose", "help"])
def test_a_key_that_is_no_setting_is_refused(params: Path, key: str):
    params.write_text(f"toy:\n  {key}: 3\n")
    result = CliRunner().invoke(toy.tool, ["make", "out", "--params", str(params)])
    assert result.exit_code == 2
    assert result.stderr == f"error: {params} toy: unknown key {key}; fix: use one of: rows\n"
    assert result.stdout == ""


def test_a_key_of_the_wrong_type_is_refused(params: Path):
    params.write_text("toy:\n  rows: many\n")
    result = CliRunner().invoke(toy.tool, ["make", "out", "--params", str(params)])
    assert result.exit_code == 2
    assert "'many' is not a valid integer" in result.stderr
    assert result.stdout == ""


def test_other_sections_are_no_concern_of_the_tool(params: Path):
    params.write_text("other:\n  raws: 3\n")
    result = CliRunner().invoke(toy.tool, ["make", "out", "--params", str(params)])
    assert json.loads(result.stdout)["rows"] == 1


def test_params_are_not_looked_for_where_none_are_given(params: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(params.parent)
    result = CliRunner().invoke(toy.tool, ["make", "out"])
    assert json.loads(result.stdout)["rows"] == 1


def test_a_required_params_file_fills_a_dataclass(params: Path):
    result = CliRunner().invoke(toy.tool, ["plan", "--params", str(params)])
    assert (result.exit_code, json.loads(result.stdout)["rows"]) == (0, 30)
    assert CliRunner().invoke(toy.tool, ["plan"]).exit_code == 2


def test_quiet_leaves_warnings_and_verbose_adds_detail(monkeypatch: pytest.MonkeyPatch):
    everything = ["counting: 25 % of 4 rows", "counting: 50 % of 4 rows"]
    normal = CliRunner().invoke(toy.tool, ["work", "0"])
    quiet = CliRunner().invoke(toy.tool, ["work", "0", "-q"])
    again = CliRunner().invoke(toy.tool, ["work", "0"])
    assert normal.stderr.splitlines()[:2] == everything
    assert quiet.stderr == ""
    assert again.stderr == normal.stderr, "-q holds for one run"
