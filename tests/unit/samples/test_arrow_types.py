"""The text of types: read, written, and damaged."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import parse_type, same_type, type_text
from samples.arrow_types import MAX_NESTING, MAX_TYPE, MEDIA

GRAMMAR = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "uint8": pa.uint8(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp[s]": pa.timestamp("s"),
    "timestamp[us, UTC]": pa.timestamp("us", "UTC"),
    "timestamp[ns, America/Argentina/Buenos_Aires]": pa.timestamp("ns", "America/Argentina/Buenos_Aires"),
    "timestamp[ms, +05:30]": pa.timestamp("ms", "+05:30"),
    "time[s]": pa.time32("s"),
    "time[ms]": pa.time32("ms"),
    "time[us]": pa.time64("us"),
    "time[ns]": pa.time64("ns"),
    "duration[ms]": pa.duration("ms"),
    "decimal(10, 2)": pa.decimal128(10, 2),
    "decimal(39, 0)": pa.decimal256(39, 0),
    "list<string>": pa.list_(pa.string()),
    "list<list<timestamp[us, UTC]>>": pa.list_(pa.list_(pa.timestamp("us", "UTC"))),
    "struct<>": pa.struct([]),
    "struct<role: string, tags: list<decimal(5, 1)>>": pa.struct(
        [("role", pa.string()), ("tags", pa.list_(pa.decimal128(5, 1)))]
    ),
    'list<struct<"a, b: c": int8, größe in m: struct<"": bool, "\\"<": date>>>': pa.list_(
        pa.struct([("a, b: c", pa.int8()), ("größe in m", pa.struct([("", pa.bool_()), ('"<', pa.date32())]))])
    ),
}


@pytest.mark.parametrize("text", GRAMMAR)
def test_a_type_is_read_and_written(text: str) -> None:
    assert parse_type(text) == GRAMMAR[text] and type_text(GRAMMAR[text]) == text


def test_images_and_audio_are_files() -> None:
    assert parse_type("image") == parse_type("audio") == MEDIA
    text = "list<struct<page: image, sounds: list<audio>>>"
    assert parse_type(text) == pa.list_(pa.struct([("page", MEDIA), ("sounds", pa.list_(MEDIA))]))
    assert type_text(parse_type(text)) == text


@pytest.mark.parametrize(
    "kind",
    [
        *(kind for text, kind in GRAMMAR.items() if '"' not in text),  # which Arrow does not quote
        pa.list_(pa.struct([("from", pa.string()), ("value", pa.list_(pa.float64()))])),
        pa.list_(pa.int8(), 3),
        pa.large_list(pa.bool_()),
        pa.list_view(pa.string_view()),
        *(pa.binary(5), pa.float16(), pa.large_string(), pa.null(), pa.date64(), pa.decimal64(9, -2), MEDIA),
    ],
    ids=str,
)
def test_types_are_read_as_arrow_writes_them(kind: pa.DataType) -> None:
    assert parse_type(str(kind)) == kind and same_type(str(kind), str(kind))


def type_text_or_none(kind: pa.DataType) -> str:
    try:
        return type_text(kind)
    except ValueError:
        return ""


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (pa.large_string(), "string"),
        (pa.dictionary(pa.int8(), pa.large_string()), "string"),
        (pa.run_end_encoded(pa.int32(), pa.float16()), "float32"),
        (pa.binary(5), "binary"),
        (pa.list_(pa.list_view(pa.binary_view()), 2), "list<list<binary>>"),
        (pa.date64(), "date"),
        (pa.decimal32(3, -2), "decimal(5, 0)"),
        (pa.decimal256(2, 4), "decimal(4, 4)"),
        (pa.uuid(), "binary"),
    ],
    ids=str,
)
def test_another_layout_has_the_text_of_the_plain_type(kind: pa.DataType, text: str) -> None:
    assert type_text(kind) == text


@pytest.mark.parametrize("kind", [pa.null(), pa.map_(pa.string(), pa.int8()), pa.month_day_nano_interval()], ids=str)
def test_a_type_that_no_column_can_have_has_no_text(kind: pa.DataType) -> None:
    with pytest.raises(ValueError, match="unsupported type"):
        type_text(pa.list_(kind))


@pytest.mark.parametrize(
    "text",
    [
        *("", "nope", "list<nope>", "list<item: nope>", "list<>", "list<a: int8, b: int8>", "list<int8", "int8>"),
        *("struct<a>", "struct<a:int8>", "struct<a: int8,b: int8>", 'struct<"a: int8>', 'struct<"\\x": int8>'),
        *("struct<role:string, content: string>", "fixed_size_binary[x]", "fixed_size_list<item: int8>[99999999999]"),
        *("decimal(77, 2)", "decimal(0, 0)", "decimal(3, 5)", "decimal(3, -1)", "timestamp[m]", "time[us, UTC]"),
        *("map<string, int8>", " string", "list<" * (MAX_NESTING + 1) + "int8" + ">" * (MAX_NESTING + 1)),
        f"struct<{'a' * MAX_TYPE}: int8>",
    ],
    ids=lambda text: text[:40],
)
def test_an_invalid_type_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_type(text)


def test_a_wide_type_is_not_a_deep_one() -> None:
    wide = "".join(f"a{number}: list<int8>, " for number in range(100)).removesuffix(", ")
    assert parse_type(f"struct<{wide}>").num_fields == 100
    assert parse_type("list<" * MAX_NESTING + "int8" + ">" * MAX_NESTING)


def test_a_type_as_deep_as_can_be_read_is_written_and_a_deeper_one_is_an_error() -> None:
    text = "list<" * MAX_NESTING + "int8" + ">" * MAX_NESTING
    assert type_text(parse_type(text)) == text
    deep = parse_type(text)
    for _ in range(1000):
        deep = pa.list_(deep)
    with pytest.raises(ValueError, match="nested deeper than 32 levels"):
        type_text(deep)


def test_names_of_items_do_not_matter() -> None:
    assert same_type("list<item: int8>", "list<element: int8>") and not same_type("int8", "int16")
    assert same_type("timestamp[us, UTC]", "timestamp[us, tz=UTC]") and not same_type("nope", "int8")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*GRAMMAR, "list<", "struct<", ">", ", ", "a: ", '"', "[", "(", "1"])).map("".join))
def test_any_text_is_a_type_or_an_error(text: str) -> None:
    try:
        kind = parse_type(text)
    except ValueError:
        return
    plain = type_text_or_none(kind)
    assert not plain or type_text(parse_type(plain)) == plain
