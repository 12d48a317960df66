import pyarrow as pa
import pytest
from datasets import Audio, ClassLabel, Features, Image, List, Value
from samples import Column, check_columns, schema_of
from samples.columns import TYPES


def test_columns_have_an_arrow_schema():
    columns = (Column("image", "uint8", shape=(28, 28)), Column("label", "uint8", classes=("a", "b")))
    check_columns(columns)
    assert schema_of(columns) == pa.schema([("image", pa.list_(pa.list_(pa.uint8()))), ("label", pa.uint8())])


def test_columns_of_every_type_are_accepted():
    zones = [Column(zone, f"timestamp[us, {zone}]") for zone in ("UTC", "Europe/Berlin", "+05:30")]
    formats = [Column(kind, kind, format="%H") for kind in ("date", "timestamp[s]", "time[ms]")]
    check_columns([*zones, *formats, *(Column(f"a {kind}", kind) for kind in TYPES)])
    check_columns([Column("x", "list<item: string>"), Column("y", "date32[day]"), Column("z", "timestamp[us, tz=UTC]")])


def test_the_schema_with_images_or_audio_has_the_features_that_datasets_cannot_tell():
    columns = [
        Column("image", "image"),
        Column("label", "int64", classes=("cat", "dog")),
        Column("sounds", "list<audio>"),
        Column("pages", "list<struct<scan: image, score: float64, tags: list<string>, at: timestamp[us, UTC]>>"),
        Column("width", "int64"),
    ]
    check_columns(columns)
    features = Features.from_arrow_schema(schema_of(columns))
    assert features == {
        "image": Image(),
        "label": ClassLabel(names=["cat", "dog"]),
        "sounds": List(Audio()),
        "pages": List(
            {
                "scan": Image(),
                "score": Value("float64"),
                "tags": List(Value("string")),
                "at": Value("timestamp[us, tz=UTC]"),
            }
        ),
        "width": Value("int64"),
    }
    assert schema_of(columns[1:2]).metadata is None


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((Column("x", "string"), Column("x", "int8")), "duplicate column x"),
        ((Column("x", "text"),), "unknown type text of column x; expected one of string, bool, int8"),
        ((Column("x", "uint8", shape=(28, 0)),), r"invalid shape of column x: \[28, 0\]"),
        ((Column("x", "uint8", classes=("a", "a")),), "duplicate class in column x"),
        ((Column("x", "uint8", shape=(2,) * 33),), "invalid shape of column x"),
        ((Column("x", "list<text>"),), "unknown type list<text> of column x; expected one of string, bool, int8"),
        ((Column("x", "large_string"),), "unsupported type large_string of column x; expected string"),
        ((Column("x", "list<double[3]>"),), "unknown type list<double"),
        ((Column("x", "decimal(99, 2)"),), r"column x: invalid type decimal\(99, 2\): "),
        ((Column("x", "null"),), "column x: unsupported type null"),
        ((Column("x", "list<" * 33 + "int8" + ">" * 33),), "column x: invalid type .*: nested deeper than 32 levels"),
        ((Column("x", "struct<a: int8, a: int8>"),), "duplicate field in a struct of column x"),
        ((Column("x", "list<timestamp[us, Mars/Olympus]>"),), "unknown time zone Mars/Olympus of column x"),
        ((Column("x", "list<int8>", shape=(2,)),), "column x of type list<int8> cannot have a shape or classes"),
        ((Column("x", "date", classes=("a",)),), "column x of type date cannot have a shape or classes"),
        ((Column("x", "int8", format="%Y"),), "column x of type int8 cannot have a format"),
    ],
)
def test_invalid_columns_are_errors(columns: tuple[Column, ...], message: str):
    with pytest.raises(ValueError, match=message):
        check_columns(columns)


def test_an_unknown_type_has_no_schema():
    with pytest.raises(ValueError, match="no such type"):
        schema_of((Column("x", "no such type"),))
