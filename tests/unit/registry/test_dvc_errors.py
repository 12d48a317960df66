"""What DVC says when a build fails is said in one line, with the exit code of what it means."""

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from registry.build.pipeline import reproduce
from unit.registry.release_world import dataset, refused
from unit.registry.tiny import PROGRAMS, ROWS, build, make_registry


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    return make_registry(folder)


@pytest.fixture
def clone(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    clone = Path(shutil.copytree(template, tmp_path / "clone", symlinks=True))
    monkeypatch.chdir(clone)  # what DVC names, it names from where it is
    return clone


def declare(clone: Path, name: str = "greetings", **stages: object) -> None:
    (clone / "data" / name / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))


STAGES: dict[str, tuple[dict[str, object], int, str]] = {
    "missing section": (
        {"cmd": "true", "params": ["nosection"]},
        2,
        "greetings stage make: Parameters 'nosection' are missing from 'data/greetings/params.yaml'; "
        "fix: add the section to params.yaml",
    ),
    "missing params file": (
        {"cmd": "true", "params": [{"other.yaml": ["a"]}]},
        10,
        "greetings stage make: dependency 'data/greetings/other.yaml' does not exist",
    ),
    "output not made": (
        {"cmd": "true", "outs": ["nothing.csv"]},
        2,
        "greetings stage make: output 'data/greetings/nothing.csv' does not exist; fix: correct outs in dvc.yaml",
    ),
    "metric not made": (
        {"cmd": "true", "metrics": [{"evaluation.json": {"cache": False}}]},
        2,
        "greetings stage make: output 'data/greetings/evaluation.json' does not exist",
    ),
    "missing dependency": (
        {"cmd": "true", "deps": ["questions.json"]},
        10,
        "greetings stage make: dependency 'data/greetings/questions.json' does not exist; fix: create the file",
    ),
    "no command": ({"outs": ["a"]}, 2, "required key not provided @ data['stages']['make']['cmd']"),
    "unknown key": ({"cmd": "true", "inputs": ["a"]}, 2, "extra keys not allowed @ data['stages']['make']['inputs']"),
    "template": ({"cmd": "echo ${nope}"}, 2, "failed to parse 'stages.make.cmd' in 'data/greetings/dvc.yaml'"),
    "own input": (
        {"cmd": "true", "deps": ["a"], "outs": ["a"]},
        2,
        "Same item(s) are defined as both a dependency and",
    ),
    "exit": ({"cmd": "exit 12"}, 12, "greetings: stage make failed with exit 12; fix: see its error line above"),
    "killed": ({"cmd": "kill -9 $$"}, 137, "greetings: stage make was ended by SIGKILL (exit 137); fix: free some"),
    "killed within": ({"cmd": "sh -c 'kill -9 $$'; exit $?"}, 137, "stage make was ended by SIGKILL (exit 137)"),
    "ended": ({"cmd": "kill -TERM $$"}, 143, "greetings: stage make was ended by SIGTERM (exit 143); fix: run again"),
    "no folder": ({"cmd": "true", "wdir": "gone"}, 10, "data/greetings/gone: no such file or folder"),
}


@pytest.mark.parametrize(("stage", "code", "message"), STAGES.values(), ids=STAGES.keys())
def test_a_stage_that_fails_says_why(stage: dict[str, object], code: int, message: str, clone: Path) -> None:
    declare(clone, make=stage)
    said = refused(code, message, lambda: reproduce(dataset(clone), clone))
    assert "see its error line above" not in said or code == 12, "there is one above only where the command ran"


@pytest.mark.parametrize("name", ["greetings", "numbers"])
def test_a_cycle_of_stages_is_named(name: str, clone: Path) -> None:
    """Whichever dataset has it: DVC reads all of them."""
    stages = {"a": {"cmd": "x", "deps": ["1"], "outs": ["2"]}, "b": {"cmd": "y", "deps": ["2"], "outs": ["1"]}}
    declare(clone, name, **stages)
    said = refused(2, "Same item(s) are defined as both a dependency and an output", lambda: build_it(clone))
    assert f"data/{name}/dvc.yaml:a" in said


def build_it(clone: Path) -> dict[str, float]:
    return reproduce(dataset(clone), clone)


FOREIGN: dict[str, str | bytes] = {
    "a list": "- a\n",
    "no YAML": "a:\n\t- b: [\n",
    "deep": "[" * 100_000,
    "bytes": b"\xff\xfe\x00",
    "conflict": "<<<<<<< ours\na: 1\n=======\na: 2\n>>>>>>> theirs\n",
    "anchors": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)),
    "a timestamp": "a: !!timestamp 2020-99-99",
}


@pytest.mark.parametrize("name", ["greetings", "numbers"])
@pytest.mark.parametrize("file", ["dvc.yaml", "dvc.lock", "params.yaml"])
def test_files_that_are_broken_are_one_line(file: str, name: str, clone: Path) -> None:
    path = clone / "data" / name / file
    for text in FOREIGN.values():
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        said = refused(23 if file == "dvc.lock" else 2, f"data/{name}/{file}: invalid", lambda: build_it(clone))
        assert "\n" not in said and len(said) < 1000


CONFIGS = {
    "no configuration": "[[[core\n",
    "unknown key": "[core]\n nonsense = 1\n",
    "bytes": b"\xff\xfe",
    "no url": "['remote \"local\"']\n verify = true\n",
}


@pytest.mark.parametrize("text", CONFIGS.values(), ids=CONFIGS.keys())
def test_a_configuration_that_is_broken_is_named(text: str | bytes, clone: Path) -> None:
    (clone / ".dvc/config").write_bytes(text if isinstance(text, bytes) else text.encode())
    said = refused(2, "greetings: config file error: ", lambda: build_it(clone))
    assert said.endswith("fix: correct .dvc/config or .dvc/config.local")


def test_an_ignored_lock_is_named(clone: Path) -> None:
    (clone / ".gitignore").write_text("dvc.lock\n")
    refused(2, "data/greetings/dvc.lock' is git-ignored; fix: remove the pattern", lambda: build_it(clone))


def test_links_that_lead_to_themselves_are_named(clone: Path) -> None:
    """An output, and a file in one that is a folder."""
    inside = clone / "data/greetings/folder/in/loop"
    inside.symlink_to("loop")
    with pytest.raises(Exception, match="is a symbolic link that leads to itself"):
        build_it(clone)
    inside.unlink()
    manifest = clone / "data/greetings/samples.parquet"
    manifest.unlink()
    manifest.symlink_to("samples.parquet")
    with pytest.raises(Exception, match=r"samples\.parquet: is a symbolic link that leads to itself"):
        build_it(clone)


@pytest.fixture
def other(clone: Path) -> Iterator[Callable[[], None]]:
    """Another DVC, started by hand, that builds for as long as the test lasts; called, it is there."""
    declare(clone, make={"cmd": "touch started; sleep 60", "outs": ["made"]})
    command = [str(PROGRAMS / "dvc"), "repro", "-q", "data/greetings/dvc.yaml"]
    with subprocess.Popen(command, cwd=clone, start_new_session=True, stderr=subprocess.DEVNULL) as process:

        def wait() -> None:
            while not (clone / "data/greetings/started").exists():
                assert process.poll() is None
                time.sleep(0.05)

        yield wait
        os.killpg(process.pid, 9)


def test_a_lock_that_another_dvc_holds_is_named(clone: Path, other: Callable[[], None]) -> None:
    other()
    said = refused(31, "busy", lambda: build_it(clone))
    assert said.endswith("fix: wait for the other DVC process, then run again")


def test_a_cache_whose_disk_is_full_is_exit_50(clone: Path) -> None:
    shutil.rmtree(clone / ".dvc/cache")
    (clone / ".dvc/config").write_text("[cache]\n type = copy\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    (clone / "data/greetings/big").write_bytes(b"\0" * 300_000)
    declare(clone, make={"cmd": "true", "outs": [{"big": {"persist": True}}]})
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        refused(50, "cannot write: ", lambda: build_it(clone))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert build_it(clone).keys() == {"make"}, "and it succeeds once there is room"


def test_a_cache_that_is_no_folder_is_named(clone: Path) -> None:
    build(clone, "greetings", [*ROWS, ("d", 4)])
    shutil.rmtree(clone / ".dvc/cache")
    (clone / ".dvc/cache").write_text("a file")
    declare(clone, make={"cmd": "echo a > made", "outs": ["made"]})
    refused(2, ".dvc/cache", lambda: build_it(clone))


def test_a_damaged_database_of_hashes_is_named(clone: Path, tmp_path: Path) -> None:
    build_it(clone)
    databases = list((tmp_path / "site").rglob("*.db"))
    assert databases
    for path in databases:
        path.write_bytes(b"no database" * 1000)
        for beside in path.parent.glob(f"{path.name}-*"):
            beside.unlink()
    refused(23, "remove .dvc/tmp", lambda: build_it(clone))


@pytest.mark.parametrize(("runtime", "code"), [("container", 12), ("host", 125)])
def test_an_engine_that_is_lost_is_named(clone: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, code: int) -> None:
    monkeypatch.setenv("RUNTIME", runtime)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{clone}/no-socket")
    declare(clone, make={"cmd": "exit 125"})
    line = {12: "stage make: the Docker engine no longer answers; fix: start Docker", 125: "failed with exit 125"}
    refused(code, line[code], lambda: reproduce(dataset(clone, "greetings"), clone))
