"""Labelled texts become the Parquet files of their splits: what is written, and what is refused (Q7 to Q9)."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parquetizer.kinds.text_input import read_texts
from parquetizer.kinds.text_settings import TextSettings
from parquetizer.raw.files import RawFile
from samples import read_manifest
from unit.parquetizer.folders import (
    PARAMS,
    PROCESSED,
    SAMPLES,
    encoded_table,
    found,
    made,
    outputs,
    refused,
    rows,
    run_with,
    samples,
    write,
    write_params,
)

CLASSES = ["sadness", "joy", "anger"]
TEXTS = [
    ("i feel fine", "joy"),
    ("half; and; half", "anger"),
    ("ünïcödé 🙂 \u2028 é", "sadness"),
    ("  spaces, kept  ", "joy"),
    ('"quoted", "twice"', "joy"),
    ("i feel fine", "joy"),
]
ORDER: list[dict[str, Any]] = [
    {"name": "text", "type": "string"},
    {"name": "label", "type": "string", "classes": CLASSES},
]
OFFICIAL = [{"file": "train", "split": "train"}]
SENT = "check that the source sent the whole file"
FORMATS = ["lines", "csv", "jsonl", "parquet"]
FIELDS = "correct parquetizer.text and label"
IGNORE = "correct parquetizer.text, label or ignore"


def settings(format="lines", inputs=OFFICIAL, **rest):
    write_params(ORDER, format=format, inputs=[*inputs], **rest)


def table(pairs, text="text", label="label"):
    texts, labels = zip(*pairs, strict=True)
    return encoded_table(pa.table({text: [*texts], label: [*labels]}))


def packed(pairs, format, newline="\n"):
    if format == "parquet":
        return table(pairs)
    if format == "lines":
        lines = [f"{text};{label}" for text, label in pairs]
    elif format == "csv":
        quoted = [text.replace('"', '""') for text, _ in pairs]
        lines = ["label,text", *(f'{label},"{text}"' for text, (_, label) in zip(quoted, pairs, strict=True))]
    else:
        lines = [json.dumps({"label": label, "text": text}, ensure_ascii=False) for text, label in pairs]
    return "".join(line + newline for line in lines).encode()


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_gives_the_same_files(format):
    settings("lines", key=["text"])
    write({"raw/train": packed(TEXTS, "lines")})
    made("text")
    wanted = outputs()
    settings(format, key=["text"])
    write({"raw/train": packed(TEXTS, format)})
    made("text")
    assert rows("train") == TEXTS
    assert outputs() == wanted


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_gives_the_same_table_of_many_texts(format):
    """More than one block and batch of each."""
    texts = [(f"{'wörd ' * (n % 40)}{n}", CLASSES[n % 3]) for n in range(20_000)]
    settings(format)
    write({"raw/train": packed(texts, format)})
    result = made("text")
    assert rows("train") == texts
    metadata = pq.read_metadata(PROCESSED / "train/train.parquet")
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [16384, 3616]
    written = hashlib.sha256((PROCESSED / "train/train.parquet").read_bytes()).hexdigest()
    assert result["files"] == {"processed/train/train.parquet": written}
    assert [row for (row,) in samples("row")] == [*range(20_000)]


def test_official_splits_are_kept_in_the_order_of_the_inputs():
    inputs = [("b", "train"), ("a", "train"), ("c", "val")]
    settings(inputs=[{"file": file, "split": split} for file, split in inputs], key=["text"])
    write({"raw/a": "1;joy\n", "raw/b": "2;joy\n3;joy\n", "raw/c": "1;anger\n"})
    result = made("text")
    assert [*found(PROCESSED)] == ["processed/train/train.parquet", "processed/val/val.parquet"]
    assert rows("train") == [("2", "joy"), ("3", "joy"), ("1", "joy")]
    assert rows("val") == [("1", "anger")]
    files = {name: hashlib.sha256(data).hexdigest() for name, data in found(PROCESSED).items()}
    assert result == {"output": "processed", "rows": {"train": 3, "val": 1}, "files": files}
    manifest = read_manifest(SAMPLES)
    assert (manifest.files, manifest.key, manifest.rows) == (files, ["text"], 4)
    assert manifest.columns == [["text", "string"], ["label", "string"]]
    train, val = "processed/train/train.parquet", "processed/val/val.parquet"
    assert samples("split", "file", "row", "source") == [
        ("train", train, 0, "b"),
        ("train", train, 1, "b"),
        ("train", train, 2, "a"),
        ("val", val, 0, "c"),
    ]
    keys = [key for (key,) in samples("key_hash")]
    assert keys[2] == keys[3] and len(set(keys)) == 3
    assert len(set(samples("sample_id"))) == 4


def test_the_files_have_two_columns_of_strings():
    write_params(
        [{**ORDER[0], "name": "Satz"}, {**ORDER[1], "name": "Gefühl"}], format="lines", inputs=OFFICIAL, key=["Satz"]
    )
    write({"raw/train": "x;joy\n"})
    made("text")
    schema = pq.read_schema(PROCESSED / "train/train.parquet")
    assert schema.equals(pa.schema([("Satz", pa.string()), ("Gefühl", pa.string())]))
    assert not schema.metadata


@pytest.mark.parametrize("format", ["lines", "csv", "jsonl"])
def test_lines_may_end_as_on_windows(format):
    settings(format)
    write({"raw/train": packed(TEXTS, format, newline="\r\n")})
    made("text")
    assert rows("train") == TEXTS


@pytest.mark.parametrize("format", ["lines", "csv", "jsonl"])
def test_the_last_line_needs_no_end(format):
    settings(format)
    write({"raw/train": packed(TEXTS, format).rstrip(b"\n")})
    made("text")
    assert rows("train") == TEXTS


@pytest.mark.parametrize("format", ["lines", "csv", "jsonl"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1251", "gb18030"])
def test_an_encoding_can_be_declared(format, encoding):
    texts = [("привет", "joy"), ("пока; да", "anger")]
    settings(format, encoding=encoding)
    write({"raw/train": packed(texts, format).decode().encode(encoding)})
    made("text")
    assert rows("train") == texts


@pytest.mark.parametrize("encoding", ["cp1251", "utf-16"])
def test_many_lines_of_an_encoding_that_grows_in_utf_8_are_read(encoding):
    """A block of a megabyte becomes two or three; no line of it is long."""
    texts = [("привет" * 20, "joy")] * 20_000
    settings(encoding=encoding, max_text_bytes=1000)
    write({"raw/train": packed(texts, "lines").decode().encode(encoding)})
    assert made("text")["rows"] == {"train": 20_000}


@pytest.mark.parametrize(
    ("data", "delimiter", "wanted"),
    [
        ("a;b;joy\n", ";", ("a;b", "joy")),
        (";;joy\n", ";", (";", "joy")),
        ("a\tjoy\n", "\t", ("a", "joy")),
        ("a|b|joy\n", "|", ("a|b", "joy")),
        ("a^]joy\n", "]", ("a^", "joy")),
        ("a\\joy\n", "\\", ("a", "joy")),
        ("a joy\n", " ", ("a", "joy")),
        ("a\x0b\x0c\x85\u2028;joy\n", ";", ("a\x0b\x0c\x85\u2028", "joy")),
        ("\n\na;joy\n\r\n\n", ";", ("a", "joy")),
        ("a;1\n", ";", ("a", "joy")),
    ],
)
def test_the_last_separator_of_a_line_parts_text_and_label(data, delimiter, wanted):
    settings(delimiter=delimiter)
    write({"raw/train": data})
    made("text")
    assert rows("train") == [wanted]


@pytest.mark.parametrize("format", FORMATS)
def test_a_label_is_given_by_name_or_by_place(format):
    settings(format)
    write({"raw/train": packed([("x", "0"), ("y", "2"), ("z", "joy")], format)})
    made("text")
    assert rows("train") == [("x", "sadness"), ("y", "anger"), ("z", "joy")]


def test_a_name_comes_before_a_place():
    classes = ["1", "0", "2"]
    write_params([ORDER[0], {**ORDER[1], "classes": classes}], format="lines", inputs=OFFICIAL)
    write({"raw/train": "x;0\ny;1\nz;2\n"})
    made("text")
    assert rows("train") == [("x", "0"), ("y", "1"), ("z", "2")]


def test_json_labels_may_be_numbers():
    settings("jsonl")
    write({"raw/train": '{"text": "x", "label": 2}\n{"text": "y", "label": "2"}\n'})
    made("text")
    assert rows("train") == [("x", "anger"), ("y", "anger")]


@pytest.mark.parametrize(
    "kind",
    [
        pa.int64(),
        pa.uint8(),
        pa.dictionary(pa.int8(), pa.int64()),
        pa.string(),
        pa.large_string(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
    ],
    ids=str,
)
def test_parquet_texts_and_labels_may_be_of_several_types(kind):
    labels = pa.array(["2", "0"]).cast(pa.int64()).cast(kind.value_type if pa.types.is_dictionary(kind) else kind)
    labels = labels.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else labels
    texts = pa.array(["x", "y"]) if "int64" in str(kind) or kind == pa.uint8() else labels
    settings("parquet")
    write({"raw/train": encoded_table(pa.table({"text": texts, "label": labels}))})
    made("text")
    assert [label for _, label in rows("train")] == ["anger", "sadness"]


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_fields_have_the_names_that_are_declared_and_others_can_be_ignored(format):
    data = {
        "csv": b'id,Sentence,Label\n7,"x\ny",joy\n',
        "jsonl": b'{"id": [1, {"a": null}], "Sentence": "x\\ny", "Label": "joy"}\n',
        "parquet": encoded_table(pa.table({"id": [None], "Sentence": ["x\ny"], "Label": ["joy"]})),
    }
    settings(format, text="Sentence", label="Label", ignore=["id"])
    write({"raw/train": data[format]})
    made("text")
    assert rows("train") == [("x\ny", "joy")]


def test_one_lone_surrogate_pair_is_a_character():
    settings("jsonl")
    write({"raw/train": r'{"text": "\ud83d\ude42 \u00e9", "label": "joy"}'})
    made("text")
    assert rows("train") == [("🙂 é", "joy")]


def test_a_text_up_to_the_limit_is_read():
    for format in FORMATS:
        settings(format, max_text_bytes=1000)
        write({"raw/train": packed([("ü" * 500, "joy")], format)})
        made("text")
        assert rows("train") == [("ü" * 500, "joy")]
        write({"raw/train": packed([("x", "joy"), ("ü" * 500 + "x", "joy")], format)})
        where = {"lines": "raw/train:2: the text", "jsonl": "raw/train:2: the text", "csv": "raw/train:3: text"}
        fix = "raise max-text-bytes, or shorten it" if format == "csv" else "shorten it"
        refused("text", 20, f"{where.get(format, 'raw/train row 2: the text')} is longer than 1000 bytes; fix: {fix}")


def test_a_text_of_escapes_up_to_the_limit_is_read():
    """JSON may write six bytes for one."""
    settings("jsonl", max_text_bytes=100_000)
    write({"raw/train": '{"text": "' + r"\u0041" * 100_000 + '", "label": "joy"}\n'})
    made("text")
    assert rows("train") == [("A" * 100_000, "joy")]


def bad(format, code, where, data, what, fix, **rest):
    settings(format, **rest)
    write({"raw/train": data})
    refused("text", code, f"{where}: {what}; fix: {fix}")


NO_JSON = "invalid JSON: "
LINE = '{"text": "x", "label": "joy"}\n'


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"text": "x", "label": "jo', NO_JSON + "Unterminated string starting at: line 1 column 24 (char 23)"),
        ('{"text": "x", "label": NaN}', NO_JSON + "unsupported number NaN"),
        ('{"text": "x", "label": "joy", "id": Infinity}', NO_JSON + "unsupported number Infinity"),
        ('{"text": "x", "label": "joy", "id": [-Infinity]}', NO_JSON + "unsupported number -Infinity"),
        ('{"text": "x", "text": "y", "label": "joy"}', NO_JSON + "duplicate name in an object"),
        ('{"text": "x", "label": "joy", "id": {"a": 1, "a": 1}}', NO_JSON + "duplicate name in an object"),
        ("[" * 100_000, NO_JSON + "nested too deeply"),
        ('{"id":' * 100_000, NO_JSON + "nested too deeply"),
        ('{"text": "x", "label": "joy", "id": ' + "[" * 50_000 + "]" * 50_000 + "}", NO_JSON + "nested too deeply"),
        ('{"text": "x", "label": "joy"} x', NO_JSON + "Extra data: line 1 column 31 (char 30)"),
        (LINE.strip() * 2, NO_JSON + "Extra data: line 1 column 30 (char 29)"),
        ("{'text': 'x'}", None),
        ('{"text": "a\tb", "label": "joy"}', NO_JSON + "Invalid control character at: line 1 column 12 (char 11)"),
    ],
)
def test_a_line_that_is_no_json_is_refused(line, what):
    """Q9."""
    settings("jsonl", ignore=["id"])
    write({"raw/train": LINE * 3 + "\n" + line + "\n" + LINE})
    outcome = run_with("text", "raw", "processed", "samples.parquet", "--params", "params.yaml")
    assert outcome.code == 20
    assert outcome.error.startswith(f"raw/train:5: {what or NO_JSON}")
    assert outcome.error.endswith("; fix: correct it")
    assert len(outcome.error) < 300


@pytest.mark.parametrize("depth", [*range(900, 1000, 7), *range(970, 1000)])
@pytest.mark.parametrize("pair", ["[]", ("{}",)])
def test_json_nested_as_deeply_as_python_goes_is_refused_in_one_line(depth, pair):
    """Q9: no RecursionError while it is shown, either."""
    opened, closed = ('{"a":', "}") if pair == ("{}",) else "[]"
    settings("jsonl")
    write({"raw/train": '{"text": ' + opened * depth + "1" + closed * depth + ', "label": "joy"}\n'})
    outcome = run_with("text", "raw", "processed", "samples.parquet", "--params", "params.yaml")
    assert outcome.code == 20
    assert outcome.error.startswith(
        ("raw/train:1: text: expected string, got ", "raw/train:1: invalid JSON: nested too deeply")
    )


def test_a_bad_line_late_in_a_file_is_found():
    """Q9."""
    data = LINE * 200_000 + "{}\n" + LINE
    bad(
        "jsonl",
        20,
        "raw/train:200001",
        data,
        "the text is null",
        "correct it, or parquetizer.text",
    )


def test_a_last_line_that_is_cut_is_found():
    """Q9."""
    what = NO_JSON + "Unterminated string starting at: line 1 column 24 (char 23)"
    bad("jsonl", 20, "raw/train:3", LINE * 2 + LINE[:27], what, "correct it")
    what = NO_JSON + "Expecting ',' delimiter: line 1 column 29 (char 28)"
    bad("jsonl", 20, "raw/train:3", LINE * 2 + LINE[:28], what, "correct it")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("[]", "expected a JSON object"),
        ('"text"', "expected a JSON object"),
        ("null", "expected a JSON object"),
        ('{"text": "x"}', "unknown label None"),
        ('{"text": "x", "label": null}', "unknown label None"),
        ('{"text": 1, "label": "joy"}', "text: expected string, got 1"),
        ('{"text": ["x"], "label": "joy"}', "text: expected string, got ['x']"),
        ('{"text": "x", "label": true}', "label: expected string, got True"),
        ('{"text": "x", "label": 1.0}', "label: expected string, got 1.0"),
        ('{"text": "x", "label": ' + "1" * 5000 + "}", "label: expected string, got " + "1" * 80),
        ('{"text": "x", "label": {"a": 1}}', "label: expected string, got {'a': '1'}"),
        (r'{"text": "a\ud83d", "label": "joy"}', "text contains a lone surrogate"),
        (r'{"text": "a", "label": "\udc00"}', "label contains a lone surrogate"),
    ],
)
def test_an_object_that_is_no_labelled_text_is_refused(line, what):
    """Q9 and Q7."""
    fixes = {
        "expected a JSON object": "correct it",
        "unknown label None": "use one of the 3 classes, or add it to dataset.columns",
    }
    fix = fixes.get(what, "correct it, or parquetizer.text and label")
    bad("jsonl", 20, "raw/train:2", LINE + line + "\n", what, fix)


def test_a_field_that_is_not_declared_is_refused():
    fix = "add it to parquetizer.text, label or ignore"
    line = '{"text": "x", "label": "joy", "zeta": 1, "id": 1}\n'
    bad("jsonl", 22, "raw/train:2", LINE + line, "unknown field 'id'", fix)


@pytest.mark.parametrize("format", ["jsonl", "lines"])
def test_an_endless_line_is_refused_in_bounded_memory(format, limited):
    """Q9: the file is larger than the memory that is allowed; it is sparse, but its hole is read as NUL otherwise."""
    settings(format, max_text_bytes=1000)
    longest = 6000 + (1 << 16) if format == "jsonl" else 1000 + (1 << 16)
    line = f"{{{'x' * 1_000_000}" * 40
    write({"raw/train": ("\n" * 7 + line)})
    with Path("raw/train").open("ab") as file:
        file.truncate(3 << 30)
    refused_without_reading = run_with("text", "raw", "processed", "samples.parquet", "--params", "params.yaml")
    assert refused_without_reading.code == 20
    what = f"raw/train:8: the line is longer than {longest} bytes; fix: shorten it"
    assert refused_without_reading.error == what


@pytest.mark.parametrize("before", [0, 10, 1_000_000, 1_048_500, 2_000_000])
@pytest.mark.parametrize("over", [0, 1])
def test_the_limit_of_a_line_is_the_same_wherever_it_stands(before, over):
    limit = 1000 + (1 << 16)
    line = "x" * (limit - 4 + over) + ";joy"
    settings(max_text_bytes=1000)
    write({"raw/train": "y;joy\n" * (before // 6) + line + "\nz;joy\n"})
    what = f"the line is longer than {limit} bytes" if over else "the text is longer than 1000 bytes"
    refused("text", 20, f"raw/train:{before // 6 + 1}: {what}; fix: shorten it")


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        ("no label", "no ';' between text and label", "correct the line, or parquetizer.delimiter"),
        ("  ", "no ';' between text and label", "correct the line, or parquetizer.delimiter"),
        ("x;joy\ry;joy", "carriage return within the line", "end lines with \\n or \\r\\n"),
        ("x;joy\r", "carriage return within the line", "end lines with \\n or \\r\\n"),
        ("x;Joy", "unknown label 'Joy'", "use one of the 3 classes, or add it to dataset.columns"),
        ("x; joy", "unknown label ' joy'", "use one of the 3 classes, or add it to dataset.columns"),
        ("x;", "unknown label ''", "use one of the 3 classes, or add it to dataset.columns"),
        ("x;3", "unknown label '3'", "use one of the 3 classes, or add it to dataset.columns"),
        ("x;01", "unknown label '01'", "use one of the 3 classes, or add it to dataset.columns"),
        ("x;-1", "unknown label '-1'", "use one of the 3 classes, or add it to dataset.columns"),
        (";joy", "the text is empty", "correct or remove it"),
        (" \t\u00a0;joy", "the text is empty", "correct or remove it"),
    ],
)
def test_a_line_that_is_no_labelled_text_is_refused(line, what, fix):
    bad("lines", 20, "raw/train:4", f"x;joy\n\ny;joy\n{line}\r\nz;joy\n", what, fix)
    if "carriage" not in what:
        bad("lines", 20, "raw/train:4", f"x;joy\n\ny;joy\n{line}", what, fix)


@pytest.mark.parametrize(
    ("format", "where"), [("csv", "raw/train row 3"), ("jsonl", "raw/train:3"), ("parquet", "raw/train row 3")]
)
@pytest.mark.parametrize(
    ("pair", "what", "fix"),
    [
        (("", "joy"), "the text is empty", "correct or remove it"),
        (("\u2003\n", "joy"), "the text is empty", "correct or remove it"),
        (("x", "fear"), "unknown label 'fear'", "use one of the 3 classes, or add it to dataset.columns"),
        (("a\0b", "joy"), "NUL character in the text", "remove it"),
    ],
)
def test_a_text_or_label_that_does_not_fit_is_refused_in_every_format(format, where, pair, what, fix):
    """Q7 among them: Postgres would refuse NUL later."""
    data = packed([("x", "joy"), ("y", "joy"), pair], format)
    if "NUL" in what and format == "jsonl":
        data = data.replace(b"\0", b"\\u0000")
    if "NUL" in what and format == "csv":
        where, what, fix = "raw/train:4", "NUL character", "remove it, or set the file's encoding"
    elif "NUL" in what:
        what, fix = {
            "jsonl": ("text contains a NUL character", "correct it, or parquetizer.text and label"),
            "parquet": ("text contains a NUL character", fix),
        }[format]
    bad(format, 20, where, data, what, fix)


@pytest.mark.parametrize(("column", "what"), [("text", "the text is null"), ("label", None)])
def test_a_missing_value_in_parquet_is_refused(column, what):
    values: dict[str, list[str | None]] = {"text": ["x", "y"], "label": ["joy", "joy"]}
    values[column][1] = None
    what = what or "unknown label None"
    fix = (
        "correct it, or parquetizer.text"
        if column == "text"
        else "use one of the 3 classes, or add it to dataset.columns"
    )
    bad("parquet", 20, "raw/train row 2", encoded_table(pa.table(values)), what, fix)


@pytest.mark.parametrize(
    ("table", "what", "fix"),
    [
        (
            {"text": ["x"], "Label": ["joy"]},
            "column 'label' not found in 'text', 'Label'",
            IGNORE,
        ),
        ({"text": [b"x"], "label": ["joy"]}, "column 'text': expected string, got binary", FIELDS),
        ({"text": [1], "label": ["joy"]}, "column 'text': expected string, got int64", FIELDS),
        ({"text": ["x"], "label": [1.0]}, "column 'label': expected string, got double", FIELDS),
        (
            {"text": ["x"], "label": ["joy"], "b": [1], "a": [1]},
            "unknown column 'a'",
            "add it to parquetizer.text, label or ignore",
        ),
    ],
    ids=["missing", "binary", "number", "real", "extra"],
)
def test_a_parquet_file_of_other_columns_is_refused(table, what, fix):
    bad("parquet", 22, "raw/train", encoded_table(pa.table(table)), what, fix)


def test_a_parquet_file_with_a_column_twice_is_refused():
    data = encoded_table(pa.table([pa.array(["x"])] * 2 + [pa.array(["joy"])], names=["text", "text", "label"]))
    bad("parquet", 22, "raw/train", data, "duplicate column 'text'", IGNORE)


@pytest.mark.parametrize(
    ("header", "what", "fix"),
    [
        ("text", "column 'label' not found in 'text'", "correct parquetizer.text, label or ignore"),
        ("text,label,id", "unknown column 'id'", "add it to parquetizer.text, label or ignore"),
        ("text,label,text", "duplicate column 'text'", 'declare or ignore it as "text.1"'),
    ],
)
def test_a_csv_file_of_other_columns_is_refused(header, what, fix):
    bad("csv", 22, "raw/train:1", f"{header}\nx,joy,1\n", what, fix)


def test_a_csv_row_that_does_not_fit_is_refused():
    bad(
        "csv", 20, "raw/train:3", "text,label\nx,joy\ny\n", "expected 2 fields, got 1",
        "correct the row, or quote fields with delimiters",
    )  # fmt: skip
    bad("csv", 20, "raw/train:2", 'text,label\n"x,joy\n', "unclosed quote", "close or double it")


@pytest.mark.parametrize("kept", [1, 50, -1, -4, -8, -20])
def test_a_parquet_file_that_is_cut_is_refused(kept):
    settings("parquet")
    write({"raw/train": table(TEXTS)[:kept]})
    outcome = run_with("text", "raw", "processed", "samples.parquet", "--params", "params.yaml")
    assert outcome.code == 23
    assert outcome.error.startswith("raw/train: damaged Parquet file: ")
    assert outcome.error.endswith("; fix: fetch it again")


def test_a_parquet_page_that_is_damaged_is_refused():
    """The page is not compressed, so its checksum alone can tell."""
    data = bytearray(encoded_table(pa.table({"text": ["some text"], "label": ["joy"]})))
    data[data.index(b"some text")] ^= 1
    settings("parquet")
    write({"raw/train": bytes(data)})
    outcome = run_with("text", "raw", "processed", "samples.parquet", "--params", "params.yaml")
    assert outcome.code == 23
    assert "CRC checksum verification failed" in outcome.error


def test_a_parquet_text_of_other_bytes_than_utf_8_is_refused():
    offsets = pa.array([0, 2], pa.int32()).buffers()[1]
    texts = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff\xfe")])
    data = encoded_table(pa.table({"text": texts, "label": ["joy"]}))
    what = "damaged Parquet file: In column 0: Invalid: Invalid UTF8 sequence at string index 0"
    bad("parquet", 23, "raw/train", data, what, "fetch it again")


@pytest.mark.parametrize("format", ["lines", "csv", "jsonl"])
@pytest.mark.parametrize(
    ("data", "encoding", "where", "what", "fix"),
    [
        (
            b"\xff",
            "utf-8",
            "@{size}",
            "invalid utf-8: invalid start byte",
            "set the encoding of the file, such as encoding: windows-1252",
        ),
        (
            b"\xc3",
            "utf-8",
            "@{size}",
            "invalid utf-8: unexpected end of data",
            "set the encoding of the file, such as encoding: windows-1252",
        ),
        (b"x\0", "utf-8", ":{line}", "NUL character", "remove it, or set the file's encoding"),
    ],
    ids=["bad", "cut", "nul"],
)
def test_bytes_that_are_no_text_are_refused(format, data, encoding, where, what, fix):
    """Q3 and Q7."""
    good = packed(TEXTS, format)
    where = "raw/train" + where.format(size=len(good), line=good.count(b"\n") + 1)
    bad(format, 20, where, good + data, what, fix, encoding=encoding)


@pytest.mark.parametrize("format", ["lines", "csv", "jsonl"])
def test_a_byte_order_mark_must_be_declared(format):
    data = packed(TEXTS, format).decode().encode("utf-8-sig")
    bad(format, 20, "raw/train@0", data, "byte-order mark at the start of the file", "set encoding: utf-8-sig")


@pytest.mark.parametrize(
    ("format", "data", "what"),
    [
        *((format, b"", "the file is empty") for format in FORMATS),
        ("lines", b"\n", "no texts"),
        ("lines", b"\r\n\n", "no texts"),
        ("jsonl", b"\n \n\t\n", "no rows"),
        ("csv", b"text,label\n", "no rows after the header"),
        ("csv", b"\n\n", "the file is empty"),
        (
            "parquet",
            encoded_table(pa.table({"text": pa.array([], pa.string()), "label": pa.array([], pa.string())})),
            "no rows",
        ),
    ],
)
def test_a_file_without_texts_is_refused(format, data, what):
    """Q8, though another input is not empty."""
    settings(format, inputs=[{"file": "good", "split": "train"}, {"file": "train", "split": "val"}])
    write({"raw/good": packed(TEXTS, format), "raw/train": data})
    refused("text", 21, f"raw/train: {what}; fix: {SENT}")


def test_a_raw_file_that_is_not_there_is_named_before_anything_is_read():
    settings(inputs=[{"file": "train", "split": "train"}, {"file": "val", "split": "val"}])
    write({"raw/train": "no label\n"})
    refused("text", 10, "raw/val: not found; fix: run the fetcher, or correct parquetizer.inputs")


WHERE = "params.yaml parquetizer"
NOT_TEXTS = (
    "params.yaml dataset.columns: expected texts and their labels; "
    "fix: declare the text (type string), then the label (type string, with its classes)"
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "xml"}, f"{WHERE}: unknown format xml; fix: use one of: lines, csv, jsonl, parquet"),
        ({"inputs": []}, f"{WHERE}: no inputs; fix: list the raw files in inputs"),
        ({"inputs": ["train"]}, f"{WHERE}.inputs[0]: expected a mapping, got 'train'; fix: write a mapping"),
        *(
            ({"delimiter": mark}, f"{WHERE}: invalid delimiter {mark!r}; fix: use one ASCII character, such as ;")
            for mark in ("", "::", "§", "\n", "\r", "\0", '"')
        ),
        (
            {"inputs": [{"file": "train", "split": ""}]},
            f"{WHERE}.inputs: invalid split name ''; fix: use lowercase letters, digits, - and _, as in train",
        ),
        ({"text": "label"}, f"{WHERE}: duplicate field in text, label and ignore; fix: list each field once"),
        ({"ignore": ["text"]}, f"{WHERE}: duplicate field in text, label and ignore; fix: list each field once"),
        ({"ignore": ["a", "a"]}, f"{WHERE}: duplicate field in text, label and ignore; fix: list each field once"),
        ({"max_text_bytes": 0}, f"{WHERE}: invalid max-text-bytes 0: expected 1 to 134217728; fix: correct it"),
        (
            {"max_text_bytes": 1 << 28},
            f"{WHERE}: invalid max-text-bytes 268435456: expected 1 to 134217728; fix: correct it",
        ),
        ({"seed": -1}, f"{WHERE}: invalid seed -1: expected 0 to 2^63 - 1; fix: correct it"),
        ({"seed": 1 << 63}, f"{WHERE}: invalid seed 9223372036854775808: expected 0 to 2^63 - 1; fix: correct it"),
        ({"encoding": "utf-9"}, f"{WHERE}: unknown encoding utf-9; fix: use an encoding of Python, such as latin-1"),
        ({"key": ["Text"]}, f"{WHERE} key: unknown column Text; fix: use one of: text, label"),
        (
            {"inputs": [{"file": "train", "split": "Train"}]},
            f"{WHERE}.inputs: invalid split name 'Train'; fix: use lowercase letters, digits, - and _, as in train",
        ),
        (
            {"splits": {"train": 0.5, "val": 0.5}},
            f"{WHERE}: both splits and official splits; fix: remove splits, or the split of each input",
        ),
        (
            {"inputs": [{"file": "train", "split": "train"}, {"file": "b"}]},
            f"{WHERE}: input without split; fix: set the split of each input, or shares in splits",
        ),
        (
            {"inputs": [{"file": "train"}]},
            f"{WHERE}: input without split; fix: set the split of each input, or shares in splits",
        ),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_settings_that_describe_no_texts_are_refused(changes, message):
    write_params(ORDER, **{"format": "lines", "inputs": OFFICIAL, **changes})
    write({"raw/train": "x;joy\n"})
    refused("text", 2, message)


@pytest.mark.parametrize(
    "columns",
    [
        [ORDER[1], ORDER[0]],
        ORDER[:1],
        [*ORDER, {"name": "x", "type": "string"}],
        [ORDER[0], {**ORDER[1], "classes": []}],
        [ORDER[0], {**ORDER[1], "type": "int64"}],
        [{**ORDER[0], "shape": [2]}, ORDER[1]],
    ],
)
def test_columns_that_are_no_text_and_label_are_refused(columns):
    write_params(columns, format="lines", inputs=OFFICIAL)
    write({"raw/train": "x;joy\n"})
    refused("text", 2, NOT_TEXTS)


def test_an_output_that_holds_the_raw_files_is_refused():
    settings()
    write({"raw/train": "x;joy\n"})
    outcome = run_with("text", "raw", "raw", "samples.parquet", "--params", "params.yaml")
    what = "raw: is inside raw, which is replaced as a whole; fix: write to another folder"
    assert (outcome.code, outcome.error) == (2, what)
    assert found(Path("raw")) == {"raw/train": b"x;joy\n"}


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "LC_ALL": "tr_TR.UTF-8", "OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"},
    ],
    ids=["C locale", "Turkish locale"],
)
def test_a_rerun_gives_the_same_bytes_anywhere(elsewhere):
    """Q16."""
    settings(inputs=[{"file": "train"}], splits={"train": 0.7, "val": 0.3}, key=["text"])
    write({"raw/train": packed([(f"İI ü {n}", CLASSES[n % 3]) for n in range(200)], "lines")})
    made("text")
    first = outputs()
    made("text")
    assert outputs() == first
    arguments = ["text", "raw", "processed", "samples.parquet", "--params", "params.yaml"]
    command = [sys.executable, "-c", "from parquetizer.cli import cli; cli()", *arguments]
    subprocess.run(command, env={**os.environ, **elsewhere}, check=True, capture_output=True)
    assert outputs() == first


def test_texts_are_read_in_batches_of_bounded_size():
    settings("parquet")
    write({"raw/train": table([(f"text {n}", "joy") for n in range(40_000)])})
    sizes = [len(batch) for batch in read_texts(RawFile.of(Path("raw/train")), TextSettings.read(PARAMS))]
    assert sum(sizes) == 40_000 and max(sizes) < 40_000
