"""What is proposed for raw files: right, or too wide, never wrong."""

import gzip
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from parquetizer.cli import cli
from parquetizer.inspect.inspection import inspect_raw
from parquetizer.inspect.proposal import Proposal
from stage.errors import StageError


def proposed(tmp_path: Path, **files: str | bytes) -> Proposal:
    for name, content in files.items():
        path = tmp_path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return inspect_raw(tmp_path)


def types(proposal: Proposal) -> dict[str, str]:
    return {column.name: column.type + f" {column.format}" * bool(column.format) for column in proposal.columns}


def settings(proposal: Proposal) -> dict[str, object]:
    return {key: value for key, value in proposal.parquetizer.items() if key not in {"format", "inputs"}}


def built(raw: Path, proposal: Proposal) -> dict[str, int]:
    """Return the rows of each split, or of the table, as they are built from what was proposed."""
    names = ("name", "type", "format", "classes")
    columns = [{name: getattr(column, name) for name in names if getattr(column, name)} for column in proposal.columns]
    folder = raw.with_name(f"{raw.name}-built")
    folder.mkdir()
    params = folder / "params.yaml"
    params.write_text(json.dumps({"dataset": {"columns": columns}, "parquetizer": proposal.parquetizer}))
    output = folder / ("processed" if proposal.splits else "all.parquet")
    arguments = ["table", "--params", str(params), str(raw), str(output), str(folder / "samples.parquet")]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.stderr
    return {file.stem: pq.read_metadata(file).num_rows for file in folder.rglob("*.parquet") if file.stem != "samples"}


ROWS = {
    "integers": ("x,y\n1,-2\n30,4\n", {"x": "int64", "y": "int64"}, {}),
    "codes": ("zip,n\n01234,1\n99999,2\n", {"zip": "string", "n": "int64"}, {}),
    "too large": ("n,m\n18446744073709551615,1\n0,2\n", {"n": "uint64", "m": "int64"}, {}),
    "far too large": ("n,m\n18446744073709551616,1\n0,2\n", {"n": "string", "m": "int64"}, {}),
    "floats": ("x,y\n1.5,1e-3\n2,.5\n", {"x": "float64", "y": "float64"}, {}),
    "infinite": ("x,y\n1e999,1\n2,2\n", {"x": "string", "y": "int64"}, {}),
    "semicolon": ("x;y\n1,5;a\n2,25;b\n", {"x": "float64", "y": "string"}, {"delimiter": ";", "decimal": ","}),
    "tab": ("x\ty\n1\ta, b\n2\tc\n", {"x": "int64", "y": "string"}, {"delimiter": "\t"}),
    "pipe": ("x|y\n1|a\n2|b\n", {"x": "int64", "y": "string"}, {"delimiter": "|"}),
    "thousands": ('x,y\n"1,234",a\n12,b\n', {"x": "int64", "y": "string"}, {"thousands": ","}),
    "thousands or fractions": ("x;y\n1,234;a\n5,678;b\n", {"x": "string", "y": "string"}, {"delimiter": ";"}),
    "german": (
        "x;y\n1.234,5;1\n7,25;2\n",
        {"x": "float64", "y": "int64"},
        {"delimiter": ";", "decimal": ",", "thousands": "."},
    ),
    "booleans": ("x,y\ntrue,1\nfalse,2\n", {"x": "bool", "y": "int64"}, {}),
    "yes": ("x,y\nyes,1\nno,2\n", {"x": "bool", "y": "int64"}, {"true-values": ["yes"], "false-values": ["no"]}),
    "nulls": ("x,y\n1,\nNA,b\n", {"x": "int64", "y": "string"}, {"null-values": ["NA", ""]}),
    "text that is no null": ("x,y\n1,NA\n2,DE\n", {"x": "int64", "y": "string"}, {}),
    "dates": (
        "d,t\n2024-02-29,2024-02-29 10:00:00\n2023-01-01,2023-01-01T00:00:00\n",
        {"d": "date", "t": "timestamp[ms]"},
        {},
    ),
    "no such day": ("d,n\n2023-02-29,1\n2023-01-01,2\n", {"d": "string", "n": "int64"}, {}),
    "month first": ("d,n\n02/29/2024,1\n01/02/2023,2\n", {"d": "date %m/%d/%Y", "n": "int64"}, {}),
    "day or month": ("d,n\n01/02/2024,1\n03/04/2023,2\n", {"d": "string", "n": "int64"}, {}),
    "zone": ("t,n\n2024-01-01T00:00:00Z,1\n2024-01-02T00:00:00.5Z,2\n", {"t": "timestamp[ms, UTC]", "n": "int64"}, {}),
    "offsets": ("t,n\n2024-01-01T00:00:00+02:00,1\n2024-01-02T00:00:00+01:00,2\n", {"t": "string", "n": "int64"}, {}),
    "no header": ("1,a\n2,b\n3,a\n", {"column_1": "int64", "column_2": "string"}, {"header": False}),
    "years": (
        "country,2001,2002,2003\nde,1.5,2,3\nfr,4,5.5,6\n",
        {"country": "string", "2001": "float64", "2002": "float64", "2003": "int64"},
        {"header": False, "skip-rows": 1},
    ),
    "preamble": ("Report of 2024\n\nx,y\n1,a\n2,b\n", {"x": "int64", "y": "string"}, {"skip-rows": 2}),
    "comments": ("# by hand\nx,y\n1,a\n# more\n2,b\n", {"x": "int64", "y": "string"}, {"comment": "#"}),
    "empty columns and rows": (
        "x;y;;\n1,5;a;;\n2,5;b;;\n;;;\n",
        {"x": "float64", "y": "string"},
        {"delimiter": ";", "decimal": ",", "ignore": [""], "skip-empty-rows": True},
    ),
    "index": (",x\n0,1.5\n1,2.5\n", {"x": "float64"}, {"ignore": [""]}),
    "index and years": (
        ",1940,1945\nfood,22.2,44.5\nhome,10.5,15.5\n",
        {"column_1": "string", "1940": "float64", "1945": "float64"},
        {"header": False, "skip-rows": 1},
    ),
    "numbered names": (
        "x,1,2,3\na,1,2,5\nb,3,4,6\n",
        {"x": "string", "1": "int64", "2": "int64", "3": "int64"},
        {"header": False, "skip-rows": 1},
    ),
    "repeated names": ("x,x\n1,a\n2,b\n", {"x": "int64", "x_2": "string"}, {"header": False, "skip-rows": 1}),
    "stray quotes": ('x,y\n1,5" disk\n2,b\n', {"x": "int64", "y": "string"}, {"quote": "none"}),
    "line breaks": ('x,y\n1,"a\nb"\n2,c\n', {"x": "int64", "y": "string"}, {"multiline": True}),
    "white space": (
        'x  name\ty\n 1.5 "a  b"   3\n20\tc ?  \n \n-3    "d"\t\t4\n7 e 5\n',
        {"x": "float64", "name": "string", "y": "int64"},
        {"delimiter": "whitespace", "null-values": ["?"]},
    ),
    "as many spaces in each row": (
        "1  2\n3  4\n5  6\n",
        {"column_1": "int64", "column_2": "int64"},
        {"delimiter": "whitespace", "header": False},
    ),
    "white space without a header": (
        "15.26\t14.84\t1\n14.88  14.57\t1\n 14.29 14.09 2\n",
        {"column_1": "float64", "column_2": "float64", "column_3": "int64"},
        {"delimiter": "whitespace", "header": False},
    ),
    "words": (
        "he said  it, once\nof four   words each\nin its three lines\n",
        {"text": "string"},
        {"header": False, "delimiter": ";"},
    ),
    "spaces": ("x, y\n1, ?\n2, a\n", {"x": "int64", "y": "string"}, {"trim": True, "null-values": ["?"]}),
    "one column": ("text\nhello, you\nand you\n", {"text": "string"}, {"delimiter": ";"}),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_csv_file(name: str, tmp_path: Path) -> None:
    text, columns, expected = ROWS[name]
    proposal = proposed(tmp_path, **{"a.csv": text})
    assert (types(proposal), settings(proposal)) == (columns, expected), proposal.reasons
    assert built(tmp_path, proposal) == {"all": proposal.rows}


def test_encodings(tmp_path: Path) -> None:
    text = "name,n\nMüller,1\nJosé,2\n"
    for encoding, expected in (("utf-8", None), ("utf-8-sig",) * 2, ("cp1252",) * 2, ("utf-16",) * 2):
        proposal = proposed(tmp_path, **{"a.csv": text.encode(encoding)})
        assert proposal.parquetizer.get("encoding") == expected
        assert types(proposal) == {"name": "string", "n": "int64"}


def test_labels_splits_and_key(tmp_path: Path) -> None:
    rows = "".join(f"{number},text {number},{'spam' if number % 3 else 'ham'}\n" for number in range(60))
    files = {"train.csv": f"id,text,label\n{rows}", "test.csv": "id,text,label\n60,text 60,ham\n61,text 61,spam\n"}
    proposal = proposed(tmp_path, **files)
    assert proposal.splits == ("train", "test") and proposal.rows == 62
    assert proposal.parquetizer["inputs"] == [
        {"file": "train.csv", "split": "train"},  # first, so that samples of test that are in train are leaks into test
        {"file": "test.csv", "split": "test"},
    ]
    assert proposal.columns[2].classes == ("ham", "spam") and proposal.parquetizer["key"] == ["id"]


def test_a_split_column(tmp_path: Path) -> None:
    rows = "".join(f"{number},{'train' if number % 3 else 'test'}\n" for number in range(60))
    proposal = proposed(tmp_path, **{"a.csv": f"n,split\n{rows}"})
    assert proposal.parquetizer["split-column"] == "split" and set(proposal.splits) == {"train", "test"}
    assert types(proposal) == {"n": "int64"} and "would be a feature" in proposal.reasons["split-column"]
    assert built(tmp_path, proposal) == {"train": 40, "test": 20}


def test_a_split_column_that_has_to_be_read_is_kept(tmp_path: Path) -> None:
    for name, header, row in (("key", "id", "{}"), ("position", "x,x", "{}.5,1")):
        rows = "".join(f"{split},{row.format(n)}\n" for n in range(60) for split in ("train", "test"))
        proposal = proposed(tmp_path / name, **{"a.csv": f"split,{header}\n{rows}"})
        assert "split" in types(proposal) and name in proposal.reasons["split-column"]
        built(tmp_path / name, proposal)


VISITS = [{"visit": f"v{n}", "patient_id": f"p{n % 30}", "score": n / 4} for n in range(90)]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_groups_are_a_comment(kind: str, tmp_path: Path) -> None:
    write = pa.csv.write_csv if kind == "csv" else pq.write_table

    def reason(rows: list[dict[str, object]], name: str) -> str:
        (tmp_path / name).mkdir()
        write(pa.Table.from_pylist(rows), tmp_path / name / f"a.{kind}")
        proposal = inspect_raw(tmp_path / name)
        assert "group" not in proposal.parquetizer
        return proposal.reasons.get("group", "")

    assert reason(VISITS, "many").startswith("[patient_id] # 30 values in 90 rows: ")
    assert not reason([{**row, "patient_id": "p1"} for row in VISITS], "one value")
    assert not reason([{**row, "patient_id": row["visit"]} for row in VISITS], "unique")
    assert not reason([{**row, "patient_id": row["patient_id"] if n else None} for n, row in enumerate(VISITS)], "null")
    assert not reason([{**row, "split": ("train", "test")[n % 2]} for n, row in enumerate(VISITS)], "with splits")
    renamed = [{"visit": row["visit"], "colour": row["patient_id"]} for row in VISITS]
    assert not reason(renamed, "another name")


def test_labels_without_a_header(tmp_path: Path) -> None:
    rows = "".join(f"{'ham' if number % 2 else 'spam'}\ttext, {number} words\n" for number in range(60))
    proposal = proposed(tmp_path, SMSSpam=rows)
    assert types(proposal) == {"label": "string", "text": "string"} and proposal.columns[0].classes == ("ham", "spam")


def test_compressed_and_in_an_archive(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, **{"a.csv.gz": gzip.compress(b"x,y\n1,a\n2,b\n")})
    assert types(proposal) == {"x": "int64", "y": "string"}
    (tmp_path / "a.csv.gz").unlink()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("README.md", "About it.\n")
        for split in ("train", "test"):
            archive.writestr(f"{split}/part.csv", "x,y\n1,a\n2,b\n")
    proposal = inspect_raw(tmp_path)
    assert proposal.parquetizer["inputs"] == [
        {"file": "a.zip", "members": "train/part.csv", "split": "train"},
        {"file": "a.zip", "members": "test/part.csv", "split": "test"},
    ]


def test_json_lines_and_arrays(tmp_path: Path) -> None:
    chats = [
        {"id": f"c{number}", "messages": [{"role": "user", "content": "Hi"}] * (number % 3), "score": None, "odd": odd}
        for number, odd in enumerate((1, "a", {}))
    ]
    for name, text in (("a.jsonl", "\n".join(map(json.dumps, chats))), ("a.json", json.dumps(chats, indent=1))):
        proposal = proposed(tmp_path / name, **{name: text})
        messages = "list<struct<role: string, content: string>>"
        assert types(proposal) == {"id": "string", "messages": messages, "score": "string"}
        assert settings(proposal) == {"ignore": ["odd"], "key": ["id"]}
        assert "numbers and strings and objects" in proposal.reasons["ignore"]


def test_json_under_a_name(tmp_path: Path) -> None:
    rows = [{"n": number, "tags": [{"x": number}]} for number in range(3)]
    for name, document in (("data", {"version": [1], "data": rows}), ("a b", {"x": {"a b": rows}})):
        proposal = proposed(tmp_path / name, **{f"{split}.json": json.dumps(document) for split in ("test", "train")})
        assert types(proposal) == {"n": "int64", "tags": "list<struct<x: int64>>"} and proposal.rows == 6
        assert proposal.parquetizer["rows"] == (["data"] if name == "data" else ["x", "a b"])
        assert built(tmp_path / name, proposal) == {"train": 3, "test": 3}
    with pytest.raises(
        StageError, match=r"a\.json: one object, with lists of objects: rows, labels; fix: .*JSON lines"
    ):
        proposed(tmp_path / "two", **{"a.json": json.dumps({"rows": rows, "labels": rows})})


def test_json_objects_with_a_list_are_samples(tmp_path: Path) -> None:
    chats = [{"id": number, "messages": [{"role": "user"}]} for number in range(30)]
    proposal = proposed(tmp_path / "lines", **{"a.json": "\n".join(map(json.dumps, chats))})
    assert proposal.rows == 30 and [*types(proposal)] == ["id", "messages"]
    proposal = proposed(tmp_path / "files", **{f"{chat['id']}.json": json.dumps(chat) for chat in chats})
    assert proposal.rows == 30 and [*types(proposal)] == ["id", "messages"]


def test_json_numbers_and_dates(tmp_path: Path) -> None:
    rows = [{"n": 1, "x": 1, "d": "2024-02-29", "b": True}, {"n": -(2**63), "x": 1.5, "d": "2023-01-01", "b": None}]
    proposal = proposed(tmp_path, **{"a.jsonl": "\n".join(map(json.dumps, rows))})
    assert types(proposal) == {"n": "int64", "x": "float64", "d": "date", "b": "bool"}


def test_parquet_and_arrow(tmp_path: Path) -> None:
    table = pa.table(
        {
            "day": pa.array([1, 2, 3], pa.date32()),
            "price": pa.array([1, 2, None], pa.decimal128(5, 2)),
            "tags": pa.array([["a"], [], None], pa.large_list(pa.string())),
            "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
            "x": [1.0, float("nan"), 2.0],
            "label": [0, 1, 1],
            "__index_level_0__": [5, 6, 7],
        }
    )
    features = {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    for name, write in (("a.parquet", pq.write_table), ("a.feather", pyarrow.feather.write_feather)):
        (tmp_path / name).mkdir()
        write(table, tmp_path / name / name)
        proposal = inspect_raw(tmp_path / name)
        nested = {"tags": "list<string>", "kind": "string", "x": "float64", "label": "int64"}
        assert types(proposal) == {"day": "date", "price": "decimal(5, 2)", **nested}
        assert settings(proposal) == {"ignore": ["__index_level_0__"], "null-values": ["nan"]}
        assert proposal.columns[-1].classes == ("no", "yes")


def test_several_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"b\.csv: has 3 columns.*FROM= takes one file"):
        proposed(tmp_path, **{"a.csv": "x,y\n1,2\n3,4\n", "b.csv": "x,y,z\n1,2,3\n", "c.csv": "x,y\n1,2\n"})


PNG = b"\x89PNG\r\n\x1a\n"


def test_images_by_class_and_split(tmp_path: Path) -> None:
    files = {
        f"pets__{split}__{kind}__{n}.png": PNG for split in ("train", "test") for kind in ("cat", "dog") for n in "123"
    }
    proposal = proposed(tmp_path, **files, README__md=b"# Pets\n")
    assert (proposal.kind, proposal.rows, set(proposal.splits)) == ("files", 12, {"train", "test"})
    assert types(proposal) == {"image": "image", "label": "int64"} and proposal.columns[1].classes == ("cat", "dog")
    assert proposal.parquetizer["inputs"] == [{"file": "pets/**/*.png"}]
    assert settings(proposal) == {"media": "image", "split-folders": True, "labels": "folder"}


def test_audio_in_an_archive_with_metadata(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"clips/{number}.wav", b"RIFF")
    (tmp_path / "metadata.csv").write_text("file_name,text\n" + "".join(f"clips/{n}.wav,word {n}\n" for n in range(4)))
    proposal = inspect_raw(tmp_path)
    assert types(proposal) == {"audio": "audio", "text": "string"} and proposal.splits == ("train",)
    assert proposal.parquetizer["inputs"] == [{"file": "a.zip", "members": "clips/**/*.wav"}]
    assert settings(proposal) == {"media": "audio", "labels": "metadata", "metadata": "metadata.csv"}


def test_documents(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, **{"a.md": "# A\n", "b__c.md": "# C\n"})
    assert (proposal.kind, proposal.rows, proposal.parquetizer) == ("documents", 2, {"suffix": ".md"})
