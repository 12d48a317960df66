"""The tree is what the design says: one name everywhere, generated files current, nothing of one machine."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from data_registry.clone import repository
from launcher.images import read_images
from launcher.toolbox import find_tools

ROOT = repository()
TOOLS = find_tools(ROOT)
STAGES = [name for name, tool in TOOLS.items() if tool.in_container]
DATASETS = sorted(path.parent for path in ROOT.glob("data/*/dvc.yaml"))
TOP = (
    "tools compose data .dvc Makefile docker-compose.yml docker-compose.minikube.yml .github tests README.md "
    "pyproject.toml LICENSE CHANGELOG.md CONTRIBUTING.md .gitattributes .gitignore .dockerignore .dvcignore "
    ".pre-commit-config.yaml .ci .env.docker .env.minikube .devcontainer"
)


def tracked() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_top_level_is_the_customers() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= {*TOP.split()}


def test_images_are_current() -> None:
    current = {name: tool.image() for name, tool in TOOLS.items() if tool.in_container}
    assert read_images(ROOT) == current, "run: make images"


def test_images_file_is_plain_yaml() -> None:
    assert yaml.safe_load((ROOT / "data" / "images.yaml").read_text())["images"] == read_images(ROOT)


@pytest.mark.parametrize("name", TOOLS)
def test_tool_has_one_name_everywhere(name: str) -> None:
    tool = TOOLS[name]
    project = tomllib.loads((tool.folder / "pyproject.toml").read_text())["project"]
    package = name.replace("-", "_")
    assert project["name"] == f"data-registry-{name}"
    assert project["scripts"] == {name: f"{package}.cli:cli"}
    assert (tool.folder / package / "cli.py").is_file() and (tool.folder / "README.md").is_file()
    if (tool.folder / "Dockerfile").is_file():
        assert f'ENTRYPOINT ["{name}"]' in (tool.folder / "Dockerfile").read_text()
        assert f"  {name}:\n" in (ROOT / "compose" / "tools.yml").read_text()


@pytest.mark.parametrize("folder", DATASETS, ids=lambda path: path.name)
def test_dataset_is_complete(folder: Path) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    # What is made from a release has its lock once that is released, which make bootstrap does.
    made = () if "registry" in params else ("sources.csv", "dvc.lock", "metadata.json")
    for name in ("dvc.yaml", "params.yaml", "README.md", *made):
        assert (folder / name).is_file(), name
    assert params["dataset"]["name"] == folder.name


@pytest.mark.parametrize("folder", DATASETS, ids=lambda path: path.name)
def test_stage_is_called_as_its_tool_and_depends_on_its_image(folder: Path) -> None:
    for name, stage in yaml.safe_load((folder / "dvc.yaml").read_text())["stages"].items():
        assert stage["cmd"].startswith(f"../../tools/run {name} ")
        if TOOLS[name].in_container:
            assert {"../images.yaml": [f"images.{name}"]} in stage["params"]


@pytest.mark.parametrize(
    "folder", [path for path in DATASETS if (path / "sample").exists()], ids=lambda path: path.name
)
def test_sample_is_marked_and_small(folder: Path) -> None:
    sample = folder / "sample"
    assert "ynthetic" in (sample / "README.md").read_text()
    assert sum(path.stat().st_size for path in sample.rglob("*") if path.is_file()) < 200_000
    lines = (sample / "sources.csv").read_text().splitlines()[1:]
    assert all(",file:sample/" in line and "#synthetic," in line for line in lines)


@pytest.mark.parametrize("name", [*TOOLS, "tests"])
def test_lock_pins_and_hashes_everything_and_names_no_index(name: str) -> None:
    folder = ROOT / "tests" if name == "tests" else TOOLS[name].folder
    lock = (folder / "requirements.lock").read_text()
    pins = re.findall(r"^([A-Za-z0-9._-]+)==\S+", lock, re.MULTILINE)
    assert lock.count("\n    --hash=sha256:") >= len(pins) > 0
    assert "://" not in lock and "--index" not in lock and "--find-links" not in lock
    wanted = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"]
    for requirement in wanted:
        package = re.split(r"[\[>=<]", requirement)[0].lower()
        assert package in {pin.lower() for pin in pins}, "run: make lock"


@pytest.mark.parametrize("name", STAGES)
def test_stage_tools_hold_only_what_they_need(name: str) -> None:
    lock = (TOOLS[name].folder / "requirements.lock").read_text()
    needed = {"torch", "ray", "pandas"} if name == "chunk-embed" else set()
    for heavy in sorted({"torch", "dvc", "pandas", "mlflow", "ray"} - needed):
        assert not re.search(rf"^{heavy}==", lock, re.MULTILINE)


def test_remotes_verify_what_they_send() -> None:
    config = (ROOT / ".dvc" / "config").read_text()
    for remote in ("local", "docker", "minikube"):
        section = config.partition(f"""['remote "{remote}"']""")[2].partition("[")[0]
        assert "verify = true" in section
    assert "remote = minikube" in config and "analytics = false" in config


def test_nothing_of_one_machine_is_named() -> None:
    """Paths of a home or of this clone, and hosts of package indexes, do not belong here."""
    places = re.compile(rf"/home/\w|/root/|/Users/\w|{re.escape(str(ROOT))}\b|pypi\.org|pythonhosted|deb\.debian|npmjs")
    for path in tracked():
        text = path.read_text(encoding="utf-8", errors="replace")
        assert path == Path(__file__) or not places.search(text), path


def test_no_large_file_is_tracked() -> None:
    assert [path for path in tracked() if path.stat().st_size > 1_000_000] == []


def test_modules_are_small() -> None:
    long = {path: n for path in ROOT.glob("tools/*/*/**/*.py") if (n := len(path.read_text().splitlines())) > 300}
    assert not long


def test_recipes_are_one_command() -> None:
    targets = re.findall(r"^([a-z-]+):.*\n((?:\t.*\n)*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for name, recipe in targets:
        lines = recipe.splitlines()
        assert len(lines) == 1 and not re.search(r"&&|;|\bif\b", lines[0].partition("sed")[0]), name


def listed(target: str) -> list[str]:
    shown = ["make", "--no-print-directory", target]
    return subprocess.run(shown, cwd=ROOT, text=True, capture_output=True, check=True).stdout.splitlines()


def test_help_is_about_twenty_lines_of_eighty_columns_and_says_how_to_see_the_rest() -> None:
    shown = listed("help")
    assert len(shown) <= 22 and all(len(line) <= 80 for line in shown)
    assert shown[-1] == "make help-all lists every target"
    needed = "demo dataset release get verify doctor show diff explain whohas catalog catalog-serve search test"
    assert set(needed.split()) <= {line.split()[0] for line in shown}


def test_all_of_it_lists_every_target_on_eighty_columns() -> None:
    shown = listed("help-all")
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [line.split()[0] for line in shown] == targets and all(len(line) <= 80 for line in shown)
