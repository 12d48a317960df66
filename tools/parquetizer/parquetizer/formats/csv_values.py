"""Read the columns of a CSV file that Arrow's CSV reader does not: as text first, then as values of their type."""

import pyarrow as pa
import pyarrow.compute as pc
from samples import Column

from parquetizer.formats.csv_dialect import CsvDialect
from parquetizer.formats.text_values import parse_text


def is_native(kind: pa.DataType, dialect: CsvDialect) -> bool:
    """Say whether Arrow's CSV reader reads a type in this dialect as ``read_values`` does."""
    if dialect.trim:
        return False
    if pa.types.is_integer(kind):
        return not dialect.lenient_integers and not dialect.thousands
    if pa.types.is_floating(kind):
        return not dialect.thousands
    return bool(pa.types.is_string(kind) or pa.types.is_boolean(kind))


def read_values(texts: pa.StringArray, column: Column, dialect: CsvDialect) -> pa.Array:
    """Return the texts of a column as its values. Raises ArrowInvalid if one is not of its type."""
    if dialect.trim:
        texts = pc.utf8_trim_whitespace(texts)
    if dialect.null_values:
        is_null = pc.is_in(texts, value_set=pa.array(dialect.null_values))
        texts = pc.if_else(is_null, pa.scalar(None, pa.string()), texts)
    return parse_text(texts, column.arrow, column.format, dialect)


def are_valid(texts: pa.StringArray, column: Column, dialect: CsvDialect) -> bool:
    """Say whether all texts are read as values of a column, or as null."""
    try:
        read_values(texts, column, dialect)
    except pa.ArrowInvalid:
        return False
    return True


def is_valid(text: str, column: Column, dialect: CsvDialect) -> bool:
    """Say whether a text is read as a value of a column, or as null."""
    return are_valid(pa.array([text]), column, dialect)
