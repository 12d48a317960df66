"""The programs that the catalogue offers, of every form of data and whatever its names hold."""

import ast
import dataclasses
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalog.use import Snippet, Source, snippets

PROGRAMS = Path(__file__).parents[2] / "e2e" / "programs.py"
REPO = "https://example.org/a 'b' \"c\"/data_registry.git"
ODD = 'processed/it\'s "odd" \\ {{x}} $(id) é.csv'
INSTALL, LOAD, GET = "Install the Python client", "Load it in Python", "Download all files, verified"
RELEASED = [INSTALL, LOAD, GET, "DVC", "dvc.api"]
ALL = [*RELEASED, "pandas", "PyTorch", "Ray Data", "Hugging Face"]


def source(file: str, columns: dict[str, str] | None = None, target: str = "", **splits: tuple[str, ...]) -> Source:
    """A release with a file, whose columns have these types, with the lengths of arrays behind them."""
    features: dict[str, Any] = {name: {"dtype": kind} for name, kind in (columns or {}).items() if name != target}
    for feature in features.values():
        feature["dtype"], *shape = feature["dtype"].replace("]", "").split("[")
        feature["shape"] = [int(length) for length in shape]
    schema: dict[str, Any] = {"features": features}
    if target and columns:
        schema["target"] = {"name": target, "dtype": columns[target]}
    return Source("things", "1.2.0", REPO, splits or {"": (file,)}, {"schema": schema})


def programs(of: Source) -> dict[str, Snippet]:
    return {each.title: each for each in snippets(of)}


IMAGES = {"image": "uint8[28][28]", "label": "uint8"}
FORMS: dict[str, tuple[Source, list[str]]] = {
    "images": (source("processed/train/train.parquet", IMAGES), ["torch", "numpy", "pyarrow"]),
    "texts": (source("processed/a.parquet", {"text": "string", "label": "string"}), ["torch", "pandas", "pyarrow"]),
    "vectors": (source("e.parquet", {"text": "string", "embedding": "list"}), ["torch", "numpy", "pyarrow"]),
    "rows": (source("a.parquet", {"a": "int64"}), ["torch", "pandas", "pyarrow"]),
    "table": (source("a.csv", {"a": "double", "b": "int64"}, "b"), ["torch", "pandas"]),
    "conversations": (source("processed/train/annotations.json", {"image": "jpeg"}), ["torch", "pillow"]),
    "documents": (source("raw/a b.md", {"name": "string", "text": "string"}), ["torch"]),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_every_program(form: str) -> None:
    of, torch = FORMS[form]
    assert of.form == form
    found = programs(of)
    assert list(found) == ALL
    assert found["PyTorch"].needs == f"the folder things, from make get; pip install {shlex.join(torch)}"
    for title, each in found.items():
        if title not in {INSTALL, GET, "DVC"}:
            imported = {name.split(".")[0] for name in modules(each.text)} - set(sys.stdlib_module_names)
            packages = {"PIL": "pillow", "ray": "ray[data]", "dvc": "dvc[s3]", "data_registry": "the client"}
            assert all(packages.get(name, name) in each.needs for name in imported), each


def modules(program: str) -> set[str]:
    """Return what a program imports."""
    found = set()
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    return found


def strings(program: str) -> set[str]:
    return {
        each.value
        for each in ast.walk(ast.parse(program))
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def test_a_table_without_a_target_is_rows() -> None:
    assert source("a.csv", {"a": "double"}).form == "rows"
    assert source("a.csv", {"a": "double", "label": "string"}).form == "table"


def test_columns_are_known_by_what_they_are_and_not_by_their_names() -> None:
    of = source("processed/a.parquet", {"picture": "uint8[8][8][3]", "garment": "uint8"})
    of.metadata["schema"]["features"]["garment"]["classes"] = {"0": "coat", "1": "bag"}
    assert (of.form, of.target) == ("images", "garment")
    assert {"picture", "garment"} <= strings(programs(of)["PyTorch"].text)
    of = source("processed/a.parquet", {"emotion": "string", "tweet": "string"})
    of.metadata["schema"]["features"]["emotion"]["classes"] = ["joy", "fear"]
    assert (of.form, of.target) == ("texts", "emotion")
    assert {"tweet", "emotion"} <= strings(programs(of)["PyTorch"].text)
    assert 'names = ["joy", "fear"]' in programs(of)["PyTorch"].text, "the same numbers in every split"


def test_what_nothing_reads_is_got_and_no_more() -> None:
    of = source("processed/a.bin", {"a": "double"})
    assert (of.form, list(programs(of))) == (
        "rows",
        RELEASED,
    )
    assert "file.read()" in programs(of)["dvc.api"].text


def test_what_is_not_released_is_read_where_it_is_built() -> None:
    of = dataclasses.replace(source("processed/a.csv", {"a": "double", "label": "string"}), is_released=False)
    found = programs(of)
    assert list(found) == ["pandas", "PyTorch", "Ray Data", "Hugging Face"]
    assert found["pandas"].needs.startswith("the folder data/things in this clone; ")
    assert "data/things/processed/a.csv" in strings(found["pandas"].text)
    assert "./data/things" in strings(found["Hugging Face"].text)


def test_of_several_splits_the_one_to_train_on_is_read() -> None:
    train, val = ("processed/train/train.parquet", "processed/train/more.parquet"), ("processed/val/val.parquet",)
    found = programs(source("", IMAGES, val=val, train=train))
    assert 'split="train"' in found[LOAD].text and 'split="train"' in found["Hugging Face"].text
    assert "things/processed/train/train.parquet" in strings(found["pandas"].text)
    alone = programs(source("", IMAGES, all=train))
    assert "split" not in alone[LOAD].text and 'split="train"' in alone["Hugging Face"].text


def test_of_conversations_and_documents_dvc_gets_the_folder() -> None:
    for form, folder in (("conversations", "data/things/processed/train"), ("documents", "data/things/raw")):
        assert shlex.split(programs(FORMS[form][0])["DVC"].text)[3] == folder


@pytest.mark.parametrize(
    ("repo", "url"),
    [
        ("https://example.org/a/data_registry.git", "git+https://example.org/a/data_registry.git"),
        ("ssh://git@example.org/data_registry.git", "git+ssh://git@example.org/data_registry.git"),
        ("git@example.org:a/data_registry.git", "git+ssh://git@example.org/a/data_registry.git"),
        ("/srv/my data/registry.git", "git+file:///srv/my%20data/registry.git"),
        (REPO, "git+https://example.org/a%20%27b%27%20%22c%22/data_registry.git"),
    ],
)
def test_pip_installs_the_client_from_the_registry(repo: str, url: str) -> None:
    of = dataclasses.replace(source("a.csv", {"a": "double"}), repo=repo)
    command = shlex.split(programs(of)[INSTALL].text)
    assert command == ["pip", "install", f"data-registry-client[pandas] @ {url}#subdirectory=tools/client"]
    assert programs(of)[LOAD].text.startswith("from data_registry import load\n")


def test_names_come_to_the_shell_and_to_python_as_they_are() -> None:
    of = source(ODD, {"a": "double", 'the "b"\\': "int64"}, 'the "b"\\')
    found = programs(of)
    command = shlex.split(found["DVC"].text.replace("\\\n", ""))
    assert command == ["dvc", "get", REPO, f"data/things/{ODD}", "--rev", "things-v1.2.0"]
    assert {REPO, f"data/things/{ODD}", "things-v1.2.0"} <= strings(found["dvc.api"].text)
    assert REPO in strings(found[LOAD].text)
    for title in ("pandas", "PyTorch", "Ray Data"):
        assert f"things/{ODD}" in strings(found[title].text)
    assert 'the "b"\\' in strings(found["PyTorch"].text)


def test_the_program_of_pandas_reads_a_file_of_any_name(tmp_path: Path) -> None:
    (tmp_path / "things" / "processed").mkdir(parents=True)
    (tmp_path / "things" / ODD).write_text("a,b\n1.5,2\n")
    program = programs(source(ODD, {"a": "double"}))["pandas"].text
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["a", "b", "0", "1.5", "2"]


def test_texts_of_a_csv_file_are_texts_whatever_they_say(tmp_path: Path) -> None:
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "a.csv").write_text("a,b\nNA,1.5\nNone,\n")
    program = programs(source("a.csv", {"a": "string", "b": "double"}))["pandas"].text
    command = [sys.executable, "-c", f"{program}\nprint(data.isna().sum().to_dict())"]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == "{'a': 0, 'b': 1}"


def test_programs_of_torch_take_texts_and_what_has_no_label(chunk_embed: Path, tmp_path: Path) -> None:
    pixels = pa.array([[[0, 255], [51, 0]]] * 3, pa.list_(pa.list_(pa.uint8())))
    parquet("images", tmp_path, image=pixels)
    parquet("named", tmp_path, image=pixels, label=pa.array(["a", "b", "a"]))
    colours = pa.array([[[[0, 255, 0], [51, 0, 0]]]] * 3, pa.list_(pa.list_(pa.list_(pa.uint8()))))
    parquet("colours", tmp_path, image=colours)
    parquet("texts", tmp_path, text=pa.array(["x", "y", "z"]))
    parquet("numbered", tmp_path, text=pa.array(["x", "y", "z"]), label=pa.array([7, 3, 7]))
    parquet("rows", tmp_path, a=pa.array([1, None, 3]), b=pa.array(["x", None, "z"]))
    pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"], "c": ["no", "yes"]}).to_csv(tmp_path / "things/table.csv")
    kinds = {"a": "double", "b": "string", "c": "string"}
    known = {
        "images": source("images.parquet", {"image": "uint8[2][2]"}),
        "colours": source("colours.parquet", {"image": "uint8[1][2][3]"}),
        "named": source("named.parquet", {"image": "uint8[2][2]", "label": "string"}),
        "texts": source("texts.parquet", {"text": "string"}),
        "numbered": source("numbered.parquet", {"text": "string", "label": "int64"}),
        "rows": source("rows.parquet", {"a": "int64", "b": "string"}),
        "table": source("table.csv", kinds, "c"),
    }
    asked = {name: programs(of)["PyTorch"].text for name, of in known.items()}
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    command = [str(chunk_embed / "bin" / "python"), "-P", str(PROGRAMS), "asked.json", "told.json"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""}, check=True)
    told = json.loads((tmp_path / "told.json").read_text())
    for name, starts in {
        "images": "torch.Size([3, 1, 2, 2])\n",
        "colours": "torch.Size([3, 3, 1, 2])\n",
        "named": "torch.Size([3, 1, 2, 2]) torch.Size([3])\n",
        "texts": "3 ",
        "numbered": "3 tensor([",
        "rows": "3 {'a': ",
        "table": "torch.Size([2, 2]) torch.Size([2])\n",
    }.items():
        assert told[name].get("printed", told[name].get("failed")).startswith(starts)
    assert told["images"]["sums"]["images"] == pytest.approx(3 * 1.2)
    assert told["named"]["sums"]["labels"] == told["table"]["sums"]["target"] == 1


def parquet(name: str, folder: Path, **columns: pa.Array) -> None:
    (folder / "things").mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / "things" / f"{name}.parquet")
