import pyarrow as pa
import pytest
from samples import Column, check_columns, schema_of


def test_columns_have_an_arrow_schema():
    columns = (Column("image", "uint8", shape=(28, 28)), Column("label", "uint8", classes=("a", "b")))
    check_columns(columns)
    assert schema_of(columns) == pa.schema([("image", pa.list_(pa.list_(pa.uint8()))), ("label", pa.uint8())])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((Column("x", "string"), Column("x", "int8")), "duplicate column x"),
        ((Column("x", "text"),), "unknown type text of column x; expected one of string, bool, int8"),
        ((Column("x", "uint8", shape=(28, 0)),), r"invalid shape of column x: \[28, 0\]"),
        ((Column("x", "uint8", classes=("a", "a")),), "duplicate class in column x"),
    ],
)
def test_invalid_columns_are_errors(columns: tuple[Column, ...], message: str):
    with pytest.raises(ValueError, match=message):
        check_columns(columns)


def test_an_unknown_type_has_no_schema():
    with pytest.raises(ValueError, match="no such type"):
        schema_of((Column("x", "no such type"),))
