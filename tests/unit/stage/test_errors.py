import subprocess

import pytest
import stage.errors
from stage.errors import ChildFailed, StageError

# design.md, Errors; 0, 1, 130 and 143 are outcomes that no exception class stands for.
EXIT_CODES = {
    "UsageError": 2,
    "InputMissing": 10,
    "ChecksumMismatch": 11,
    "NetworkFailed": 12,
    "SourceRefused": 13,
    "PolicyViolation": 14,
    "BadRows": 20,
    "EmptyInput": 21,
    "SchemaMismatch": 22,
    "CorruptFile": 23,
    "DatabaseUnreachable": 30,
    "LockHeld": 31,
    "DatabaseRefused": 32,
    "ReleaseRefused": 40,
    "PushFailed": 41,
    "VerificationFailed": 42,
    "TagExists": 43,
    "Incomplete": 45,
    "DiskFull": 50,
    "OutOfMemory": 51,
}


def test_each_exit_code_has_exactly_one_class():
    classes = [
        value
        for value in vars(stage.errors).values()
        if isinstance(value, type) and issubclass(value, StageError) and value not in {StageError, ChildFailed}
    ]
    assert {kind.__name__: kind.code for kind in classes} == EXIT_CODES
    assert len({kind.code for kind in classes}) == len(classes)
    assert all(kind.__bases__ == (StageError,) for kind in classes)


def test_an_error_keeps_place_fault_and_cure_apart():
    error = stage.errors.BadRows("raw/a.csv line 3", "label is empty", "set drop-empty: true")
    assert (error.where, error.what, error.fix) == ("raw/a.csv line 3", "label is empty", "set drop-empty: true")
    assert str(error) == "raw/a.csv line 3: label is empty; fix: set drop-empty: true"


@pytest.mark.parametrize(
    ("script", "code", "what", "fix"),
    [
        ("exit 12", 12, "tool failed with exit 12", "see its error line above"),
        ("exit 255", 255, "tool failed with exit 255", "see its error line above"),
        ("kill -KILL $$", 137, "tool was ended by SIGKILL (exit 137)", "free some memory"),
        ("exit 137", 137, "tool was ended by SIGKILL (exit 137)", "free some memory"),
        ("kill -TERM $$", 143, "tool was ended by SIGTERM (exit 143)", "run again"),
    ],
)
def test_exit_code_of_a_child_is_passed_on(script: str, code: int, what: str, fix: str):
    error = ChildFailed("wine", "tool", subprocess.run(["sh", "-c", script]).returncode)
    assert (error.code, error.where, error.what) == (code, "wine", what)
    assert error.fix.startswith(fix)
