"""Text that is read as dates, times, durations, decimals and bytes: what Python reads of it, or refused."""

import base64
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from parquetizer.formats.temporal import parse_temporal
from parquetizer.formats.text_values import TextStyle, decode_base64, parse_text
from samples import parse_type, read_manifest
from unit.parquetizer.tables import PARQUET, SAMPLES, Columns, parquetize

BERLIN = ZoneInfo("Europe/Berlin")
READ = [
    ("date", "2020-02-29", date(2020, 2, 29)),
    ("date", " 0001-01-01\t", date(1, 1, 1)),
    ("timestamp[s]", "2020-02-29", datetime(2020, 2, 29)),
    ("timestamp[us]", "2020-02-29T12:30:15.25", datetime(2020, 2, 29, 12, 30, 15, 250_000)),
    ("timestamp[us]", "2020-02-29 12:30", datetime(2020, 2, 29, 12, 30)),
    ("timestamp[us, UTC]", "2020-02-29T12:30:00+02:00", datetime(2020, 2, 29, 10, 30, tzinfo=UTC)),
    ("timestamp[us, UTC]", "2020-02-29T12:30:00Z", datetime(2020, 2, 29, 12, 30, tzinfo=UTC)),
    ("timestamp[us, UTC]", "2020-02-29 12:30", datetime(2020, 2, 29, 12, 30, tzinfo=UTC)),
    ("timestamp[s, Europe/Berlin]", "2020-07-01 12:00", datetime(2020, 7, 1, 12, tzinfo=BERLIN)),
    ("timestamp[s, Europe/Berlin]", "2020-10-25 02:30+01:00", datetime(2020, 10, 25, 2, 30, fold=1, tzinfo=BERLIN)),
    ("time[us]", "23:59:59.000001", time(23, 59, 59, 1)),
    ("time[s]", "00:00", time(0)),
    ("duration[s]", "90", timedelta(seconds=90)),
    ("duration[us]", "-01:30:00.5", -timedelta(hours=1, minutes=30, seconds=0.5)),
    ("duration[us]", "100:00", timedelta(hours=100)),
    ("duration[us]", "P1W2DT3H4M5.5S", timedelta(9, 5.5, hours=3, minutes=4)),
    ("duration[us]", "-PT1M", -timedelta(minutes=1)),
    ("duration[us]", "2 days 03:00:00", timedelta(2, hours=3)),
    ("duration[us]", "-1 day, 23:00:00", timedelta(hours=-1)),
    ("duration[us]", "1 day", timedelta(1)),
    ("decimal(5, 2)", "-123.45", Decimal("-123.45")),
    ("decimal(5, 2)", "1.5", Decimal("1.50")),
    ("decimal(40, 0)", "1" * 40, Decimal("1" * 40)),
    ("binary", "AP8=", b"\0\xff"),
    ("binary", "", b""),
]
REFUSED = [
    *(("date", value) for value in ("2020-02-30", "2020-1-1", "20200101", "2020-01-01T00:00", "10000-01-01")),
    *(("timestamp[us]", value) for value in ("2020-01-01T10:00Z", "2020-01-01T24:00", "2020-01-01T10:00:00.1234567")),
    ("timestamp[ns]", "1600-01-01"),
    ("timestamp[s, Europe/Berlin]", "2021-03-28 02:30"),
    ("timestamp[s, Europe/Berlin]", "2021-10-31 02:30"),
    *(("time[ms]", value) for value in ("24:00", "1:00", "10", "10:60", "10:00:60", "10:00:00.0001")),
    *(("duration[s]", value) for value in ("P", "PT", "P1DT", "-", "1:60", "P1M", "0.5", "PT0.5S", "1 h", "9" * 30)),
    ("duration[ns]", "P9999999D"),
    *(("decimal(4, 2)", value) for value in ("100", "1.234", "1,5", "nan", "x")),
    *(("binary", value) for value in ("A", "AP8", "AP9=", "A===", "AA=A", "AP8=AP8=", "A P8=", "AP_-")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "value"), READ)
def test_a_type_is_read(kind, text, value):
    outcome = parquetize(f'a,b\nx,"{text}"\ny,?\n', {"a": "string", "b": kind}, PARQUET, null_values=["?"])
    assert outcome.code == 0, outcome.error
    table = pq.read_table(outcome.output)
    in_parquet = kind if kind.startswith("duration") else kind.replace("[s", "[ms")  # which has no seconds
    assert table.schema.field("b").type == parse_type(in_parquet)
    assert table["b"].to_pylist() == [value, None]
    assert read_manifest(SAMPLES).rows == 2


@pytest.mark.parametrize(("kind", "text"), REFUSED)
def test_what_is_no_value_of_the_type_is_refused(kind, text):
    outcome = parquetize(
        f'a;b\nx;?\ny;"{text}"\n', {"a": "string", "b": kind}, PARQUET, null_values=["?"], delimiter=";"
    )
    assert outcome.code == 20
    assert outcome.error.startswith(f"raw/a.csv:3: b: expected {kind}, got '{text}'; fix: ")


@pytest.mark.parametrize(
    ("format", "kind", "text", "value"),
    [
        ("%d/%m/%Y", "date", "1/2/2020", date(2020, 2, 1)),
        ("%d/%m/%y", "date", "01/02/68", date(2068, 2, 1)),
        ("%d/%m/%y", "date", "01/02/69", date(1969, 2, 1)),
        ("%Y%m%d", "date", "20200102", date(2020, 1, 2)),
        ("%Y-%j", "date", "2020-366", date(2020, 12, 31)),
        ("%Y-%m", "date", "2020-12", date(2020, 12, 1)),
        ("%A %d %B %Y", "date", "saturday 29 FEBRUARY 2020", date(2020, 2, 29)),
        ("%Y年%m月%d日", "date", "2020年1月2日", date(2020, 1, 2)),
        ("%Y-%m-%d 00:00:00", "date", "2020-01-02 00:00:00", date(2020, 1, 2)),
        ("%b %d, %Y %I:%M %p", "timestamp[s]", "Jan 2, 2020 12:05 am", datetime(2020, 1, 2, 0, 5)),
        ("%b %d, %Y %I:%M %p", "timestamp[s]", "Jan 2, 2020 12:05 PM", datetime(2020, 1, 2, 12, 5)),
        ("%d.%m.%Y %H:%M:%S,%f", "timestamp[ms]", "2.1.2020 1:2:3,5", datetime(2020, 1, 2, 1, 2, 3, 500_000)),
        ("%Y-%m-%d %H:%M %z", "timestamp[s, UTC]", "2020-01-02 01:00 -0330", datetime(2020, 1, 2, 4, 30, tzinfo=UTC)),
        ("%d.%m.%Y %H:%M", "timestamp[s, Europe/Berlin]", "2.7.2020 1:00", datetime(2020, 7, 2, 1, tzinfo=BERLIN)),
        ("%s", "timestamp[ms]", "-1", datetime(1969, 12, 31, 23, 59, 59)),
        ("%s", "timestamp[s, Europe/Berlin]", "0", datetime(1970, 1, 1, 1, tzinfo=BERLIN)),
        ("%Hh%M", "time[s]", "7h05", time(7, 5)),
        ("%%%H.", "time[s]", "%7.", time(7)),
    ],
)
def test_a_format_of_a_column_is_read(format, kind, text, value):
    columns: Columns = {"a": "string", "b": {"type": kind, "format": format}}
    outcome = parquetize(f'a;b\nx;"{text}"\ny;\n', columns, PARQUET, delimiter=";", null_values=[""])
    assert outcome.code == 0, outcome.error
    assert pq.read_table(outcome.output)["b"].to_pylist() == [value, None]


@pytest.mark.parametrize(
    ("format", "kind", "text"),
    [
        ("%d/%m/%Y", "date", "31/02/2020"),
        ("%d/%m/%Y", "date", "1/13/2020"),
        ("%d/%m/%Y", "date", "1/2/2020 x"),
        ("%d/%m/%Y", "date", "1/2/20"),
        ("%Y%m%d", "date", "2020011"),
        ("%Y-%j", "date", "2021-366"),
        ("%a %d.%m.%Y", "date", "Fri 29.02.2020"),
        ("%d-%b-%Y", "date", "1-Mär-2020"),
        ("%H:%M", "time[s]", "24:00"),
        ("%I:%M %p", "time[s]", "13:00 PM"),
        ("%H:%M:%S", "time[s]", "23:59:60"),
        ("%H:%M:%S.%f", "time[ms]", "23:59:59.0001"),
        ("%Y-%m-%d %H:%M %z", "timestamp[s, UTC]", "2020-01-02 01:00 +0260"),
        ("%Y", "timestamp[ns]", "1600"),
        ("%s", "timestamp[ns]", "99999999999"),
        ("%s", "timestamp[s]", "1.5"),
    ],
)  # fmt: skip
def test_a_value_of_another_format_is_refused(format, kind, text):
    columns: Columns = {"a": "string", "b": {"type": kind, "format": format}}
    outcome = parquetize(f'a;b\nx;"{text}"\n', columns, PARQUET, delimiter=";")
    assert outcome.code == 20
    assert outcome.error.startswith(f"raw/a.csv:2: b: expected {kind}, got {text!r}; fix: ")


@pytest.mark.parametrize(
    ("format", "kind", "what"),
    [
        ("%Q", "date", "unsupported directive %Q"),
        ("%d.%m.", "date", "no year"),
        ("%d %Y", "date", "a day, but no month"),
        ("%Y%y", "date", "one part of the date twice"),
        ("%Y %Y", "date", "duplicate directive %Y"),
        ("%Y-%m-%d %H", "date", "a time"),
        ("%Y-%m-%d %M", "timestamp[s]", "no hour"),
        ("%Y-%m-%d %I", "timestamp[s]", "a half day"),
        ("%Y-%m-%d %H %p", "timestamp[s]", "a half day"),
        ("%Y-%m-%d %H%z", "timestamp[s]", "an offset"),
        ("%Y", "time[s]", "no hour"),
        ("%Y %H", "time[s]", "a date"),
        ("%s", "date", "unsupported directive %s"),
        ("%", "date", "unsupported directive %"),
    ],
)
def test_a_format_that_is_none_of_the_type_is_refused(format, kind, what):
    outcome = parquetize("a\nx\n", {"a": {"type": kind, "format": format}}, PARQUET)
    assert outcome.code == 2
    assert outcome.error.startswith("params.yaml column a: ")
    assert what in outcome.error


def test_a_constant_may_be_a_date_or_a_decimal():
    inputs = [{"file": "a.csv", "constants": {"day": "2020-01-02", "price": "1.5"}}]
    columns = {"a": "string", "day": "date", "price": "decimal(4, 2)"}
    outcome = parquetize("a\nx\n", columns, PARQUET, inputs=inputs)
    assert pq.read_table(outcome.output).to_pylist() == [{"a": "x", "day": date(2020, 1, 2), "price": Decimal("1.50")}]
    inputs = [{"file": "a.csv", "constants": {"day": "2020-02-30", "price": "1.5"}}]
    assert parquetize("a\nx\n", columns, PARQUET, inputs=inputs).code == 2


quick = settings(deadline=None, max_examples=200)
FORMATS = [
    *("%Y-%m-%d %H:%M:%S.%f", "%d/%m/%Y %I:%M:%S %p", "%a %d %b %Y %H:%M:%S", "%A, %B %d, %Y %H:%M:%S.%f"),
    *("%Y%m%d%H%M%S", "%j of %Y at %H:%M:%S", "%m/%d/%y %H:%M:%S"),
]


@quick
@given(
    moments=st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31)) | st.none(), min_size=1, max_size=4),
    format=st.sampled_from(FORMATS),
)
def test_what_python_writes_is_what_it_reads(moments, format):
    """The names of days and months are English, as in the locale C, in which Python starts."""
    texts = [moment and moment.strftime(format) for moment in moments]
    wanted = [text and datetime.strptime(text, format) for text in texts]
    found = parse_temporal(pa.array(texts, pa.string()), pa.timestamp("us"), format)
    assert found.to_pylist() == wanted


@quick
@given(
    text=st.text(st.sampled_from("0123456789/-: 12"), max_size=12),
    format=st.sampled_from(["%d/%m/%Y", "%Y-%m-%d", "%y%m%d"]),
)
def test_what_python_refuses_is_refused(text, format):
    try:
        wanted = datetime.strptime(text, format).date()
    except ValueError:
        wanted = None
    try:
        found = parse_temporal(pa.array([text]), pa.date32(), format)[0].as_py()
    except pa.ArrowInvalid:
        assert wanted is None or format == "%y%m%d" or " " in text  # Python takes 1 digit for 2, and space
    else:
        assert found == wanted


@quick
@given(moments=st.lists(st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)), min_size=1, max_size=4))
def test_iso_timestamps_are_what_python_reads(moments):
    texts = pa.array([moment.isoformat() for moment in moments])
    assert parse_text(texts, pa.timestamp("us")).to_pylist() == moments
    zoned = pa.array([moment.isoformat() + "+05:30" for moment in moments])
    offset = timedelta(hours=5, minutes=30)
    wanted = [(moment - offset).replace(tzinfo=UTC) for moment in moments]
    assert parse_text(zoned, pa.timestamp("us", "UTC")).to_pylist() == wanted


@quick
@given(values=st.lists(st.timedeltas(timedelta(-99_999), timedelta(99_999)), min_size=1, max_size=4))
def test_durations_are_what_python_writes(values):
    assert parse_text(pa.array(map(str, values)), pa.duration("us")).to_pylist() == values


@quick
@given(values=st.lists(st.binary(max_size=8) | st.none(), max_size=5), start=st.integers(0, 2))
def test_base64_is_what_python_writes(values, start):
    texts = pa.array([None if value is None else base64.b64encode(value).decode() for value in values], pa.string())
    assert decode_base64(texts.slice(start)).to_pylist() == values[start:]


@quick
@given(text=st.text(st.sampled_from("AQgw/+=*\u00fc"), max_size=8))
def test_base64_that_python_would_not_write_is_refused(text):
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        value = None
    if value is not None and base64.b64encode(value).decode() == text:
        assert decode_base64(pa.array(["QQ==", text])).to_pylist() == [b"A", value]
    else:
        with pytest.raises(pa.ArrowInvalid):
            decode_base64(pa.array(["QQ==", text]))


@quick
@given(
    number=st.decimals(-(10**9), 10**9, places=3),
    decimal=st.sampled_from(".,"),
    thousands=st.sampled_from(["", ".", ",", " ", "'", "\u202f", "_"]),
)
def test_numbers_of_any_style_are_the_same(number, decimal, thousands):
    assume(decimal != thousands)
    whole, _, fraction = f"{number:,}".partition(".")
    text = pa.array([whole.replace(",", thousands) + decimal + fraction])
    style = TextStyle(decimal=decimal, thousands=thousands)
    assert parse_text(text, pa.float64(), style=style)[0].as_py() == float(number)
    assert parse_text(text, pa.decimal128(20, 3), style=style)[0].as_py() == number


@quick
@given(
    text=st.text(st.sampled_from("123,.- "), min_size=1, max_size=8),
    decimal=st.sampled_from(".,"),
    lenient=st.booleans(),
)
def test_separators_have_their_place(text, decimal, lenient):
    """A value that is read is the one that it has without separators, of which none was misplaced."""
    thousands = {".": ",", ",": "."}[decimal]
    style = TextStyle(decimal=decimal, thousands=thousands, lenient_integers=lenient)
    try:
        value = parse_text(pa.array([text]), pa.int64(), style=style)[0].as_py()
    except pa.ArrowInvalid:
        return
    whole, _, fraction = text.strip().partition(decimal)
    assert not fraction.strip("0")
    assert value == int(whole.replace(thousands, ""))
    groups = whole.lstrip("-").split(thousands)
    assert len(groups) == 1 or (len(groups[-1]) == 3 and all(len(group) in (2, 3) for group in groups[1:-1]))
