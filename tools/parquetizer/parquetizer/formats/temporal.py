"""Read dates, times, timestamps and durations that are written as text.

Formats are those of Python's ``strptime``, in English, with ``%f`` of up to nine digits and ``%s`` for seconds since
1970. They are parsed here and not by the C library, whose ``strptime`` depends on the platform and its locale, ignores
fractions and reads 31 February as 3 March.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from parquetizer.formats.time_formats import NAMES, Format, compiled

CLOCK: Final = "(?P<H>[0-9]{2}):(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2})(?:\\.(?P<f>[0-9]{1,9}))?)?"
ZONED: Final = "[T ][0-9:.]+(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)$"  # an ISO 8601 timestamp with its offset
DURATION: Final = (  # PT1H30M, 1 days 02:00:00, -1 day, 23:00:00
    r"^(?:(?P<sign>-?)P(?:(?P<W>[0-9]{1,9})W)?(?:(?P<D>[0-9]{1,9})D)?(?:T(?:(?P<H>[0-9]{1,9})H)?"
    r"(?:(?P<M>[0-9]{1,9})M)?(?:(?P<S>[0-9]{1,9})(?:\.(?P<f>[0-9]{1,9}))?S)?)?"
    r"|(?P<days>-?[0-9]{1,9}) days?"
    r"(?:,? \+?(?P<h>[0-9]{1,2}):(?P<m>[0-9]{2})(?::(?P<s>[0-9]{2})(?:\.(?P<g>[0-9]{1,9}))?)?)?"
    r"|(?P<minus>-?)(?P<hours>[0-9]{1,9}):(?P<mm>[0-9]{2})(?::(?P<ss>[0-9]{2})(?:\.(?P<ff>[0-9]{1,9}))?)?)$"
)
NO_TIME: Final = r"^-?P?T?$|T$"  # an ISO 8601 duration without any number
PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
SAMPLE: Final = 1 << 12  # values of a column that say whether it repeats them
DAY: Final = 86_400  # seconds

Numbers = npt.NDArray[np.int64]


def parse_temporal(column: pa.StringArray, kind: pa.DataType, format: str) -> pa.Array:
    """Return text as dates, times, timestamps or durations; without ``format`` it is ISO 8601, null stays null.

    Timestamps without an offset are local times of the type's zone. Durations may also be written ``1 days 02:00:00``
    or as a number of the type's unit. Raises ArrowInvalid for text that is no such value, or finer than the unit.
    """
    if not format and pa.types.is_date(kind):
        return column.cast(kind)
    if not format and pa.types.is_timestamp(kind):
        return _iso_timestamps(column, kind)
    coded = None
    sample = column[:SAMPLE]
    if column.null_count or len(sample.unique()) < 0.9 * len(sample):  # most columns repeat their days
        coded = column.dictionary_encode()
    texts = coded.dictionary if coded else column
    if pa.types.is_duration(kind):
        values = _durations(texts, PER_SECOND[kind.unit])
    elif format == "%s":
        values = _scaled(_integers(texts), PER_SECOND[kind.unit])
    else:
        values = _parsed(texts, kind, compiled(format, kind) if format else Format(f"^{CLOCK}$", "HMSf"))
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        array = pa.array(values.astype(np.int32)).cast(kind)
    elif pa.types.is_timestamp(kind) and kind.tz:
        known_zone = format == "%s" or "z" in compiled(format, kind).directives
        array = pa.array(values).cast(pa.timestamp(kind.unit))
        array = array.cast(kind) if known_zone else _localized(array, kind)
    else:
        array = pa.array(values).cast(kind)
    return array.take(coded.indices) if coded else array


def _parsed(texts: pa.StringArray, kind: pa.DataType, format: Format) -> Numbers:
    """Return days of dates, and units of times and of timestamps, in UTC if the texts have an offset."""
    values = _fixed_width(texts, format) or _matched(texts, format)
    zero = np.zeros(len(texts), np.int64)

    def part(letters: str, low: int, high: int) -> Numbers:
        for letter in letters:
            if letter in values:
                numbers = values[letter]
                if len(numbers) and not low <= numbers.min() <= numbers.max() <= high:
                    raise pa.ArrowInvalid("out of range")
                return numbers
        return zero + low

    seconds = part("M", 0, 59) * 60 + part("S", 0, 59)
    hours = part("I", 1, 12) % 12 + 12 * values["p"] if "I" in values else part("H", 0, 23)
    seconds += hours * 3600
    nanoseconds = values.get("f", zero)
    if pa.types.is_time(kind):
        return _scaled(seconds, PER_SECOND[kind.unit], nanoseconds)
    years = part("Y", 1, 9999) if "Y" in values else part("y", 0, 99)
    if "y" in values:
        years = np.where(years < 69, years + 2000, years + 1900)  # as POSIX and Python have it
    days = _days(years, part("mbB", 1, 12), part("d", 1, 31))
    if "j" in values:
        days += part("j", 1, 366) - 1
        if ((days.astype("M8[D]").astype("M8[Y]").astype(np.int64) + 1970) != years).any():
            raise pa.ArrowInvalid("no such day in the year")
    if {"a", "A"} & {*values} and ((days + 3) % 7 + 1 != part("aA", 1, 7)).any():
        raise pa.ArrowInvalid("another day of the week")
    if pa.types.is_date(kind):
        return days
    return _scaled(days * DAY + seconds - values.get("z", zero), PER_SECOND[kind.unit], nanoseconds)


def _matched(texts: pa.StringArray, format: Format) -> dict[str, Numbers]:
    """Return the value of each directive. Raises ArrowInvalid for a text that is not of the format."""
    fields = pc.extract_regex(texts, format.pattern)
    if fields.null_count:
        raise pa.ArrowInvalid("not of the format")
    return {letter: _value(letter, fields.field(letter)) for letter in format.directives}


def _value(letter: str, texts: pa.StringArray) -> Numbers:
    if letter in NAMES:
        return _positions(texts, NAMES[letter])
    if letter == "p":
        return np.asarray(pc.equal(pc.ascii_lower(texts), "pm").to_numpy(zero_copy_only=False), np.int64)
    if letter == "f":
        return _nanoseconds(texts)
    return _offsets(texts) if letter == "z" else _numbers(texts)


def _fixed_width(texts: pa.StringArray, format: Format) -> dict[str, Numbers]:
    """Return the value of each directive if all texts are padded numbers of the format, else nothing: fast."""
    widths = [len(part.encode()) if width < 0 else width for part, width in format.fixed]
    lengths = pc.min_max(pc.binary_length(texts)).as_py()
    if not widths or {*lengths.values()} != {sum(widths)}:
        return {}
    start = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset]
    data = np.frombuffer(texts.buffers()[2], np.uint8)[start : start + len(texts) * sum(widths)]
    matrix, at, values = data.reshape(len(texts), sum(widths)), 0, dict[str, Numbers]()
    for (part, kind), width in zip(format.fixed, widths, strict=True):
        piece = matrix[:, at : at + width]
        at += width
        if kind < 0:
            if (piece != np.frombuffer(part.encode(), np.uint8)).any():
                return {}
            continue
        digits = piece - ord("0")  # what is less becomes more than 9
        if (digits > 9).any():
            return {}
        values[part] = np.asarray(digits.astype(np.int64) @ 10 ** np.arange(width - 1, -1, -1))
    return values


def _days(years: Numbers, months: Numbers, days: Numbers) -> Numbers:
    """Return days since 1970-01-01 in the Gregorian calendar. Raises ArrowInvalid for 31 February."""
    month = (years - 1970) * 12 + months - 1
    first, following = (number.astype("M8[M]").astype("M8[D]").astype(np.int64) for number in (month, month + 1))
    if (days > following - first).any():
        raise pa.ArrowInvalid("no such day in the month")
    return np.asarray(first + days - 1)


def _durations(texts: pa.StringArray, per_second: int) -> Numbers:
    numeric = pc.match_substring_regex(texts, "^-?[0-9]+$").to_numpy(zero_copy_only=False)
    plain = pa.array(numeric)
    units = _integers(pc.if_else(plain, texts, "0"))
    fields = pc.extract_regex(pc.if_else(plain, "PT0S", texts), DURATION)
    if fields.null_count or pc.any(pc.match_substring_regex(texts, NO_TIME)).as_py():
        raise pa.ArrowInvalid("not a duration")

    def total(*names: str) -> Numbers:
        return np.asarray(np.sum([_numbers(fields.field(name)) for name in names], axis=0))

    if len(texts) and max(part.max() for part in (total("m"), total("s"), total("mm"), total("ss"))) > 59:
        raise pa.ArrowInvalid("out of range")
    clock = total("H", "hours", "h") * 3600 + total("M", "m", "mm") * 60 + total("S", "s", "ss")
    nanoseconds = np.sum([_nanoseconds(fields.field(name)) for name in ("f", "g", "ff")], axis=0)
    is_minus = pc.or_(pc.equal(fields.field("sign"), "-"), pc.equal(fields.field("minus"), "-"))
    sign = np.where(is_minus.to_numpy(zero_copy_only=False), -1, 1)
    seconds = sign * (clock + total("W") * 7 * DAY + total("D") * DAY) + total("days") * DAY
    return np.asarray(np.where(numeric, units, _scaled(seconds, per_second, sign * nanoseconds)))


def _iso_timestamps(column: pa.StringArray, kind: pa.DataType) -> pa.Array:
    if not kind.tz:
        return column.cast(kind)
    zoned = pc.match_substring_regex(column, ZONED)
    nothing = pa.scalar(None, pa.string())
    local = pc.if_else(zoned, nothing, column)
    absolute = pc.if_else(zoned, column, nothing).cast(kind)
    if local.null_count == len(local):
        return absolute
    return pc.coalesce(absolute, _localized(local.cast(pa.timestamp(kind.unit)), kind))


def _localized(local: pa.TimestampArray, kind: pa.DataType) -> pa.Array:
    """Return local times of a zone as timestamps. Raises ArrowInvalid for an hour that is skipped or repeated there."""
    if kind.tz == "UTC":
        return local.cast(kind)
    return pc.assume_timezone(local, kind.tz, ambiguous="raise", nonexistent="raise")


def _scaled(seconds: Numbers, per_second: int, nanoseconds: Numbers | int = 0) -> Numbers:
    """Return units. Raises ArrowInvalid if the unit is too coarse, or too fine for 64 bits."""
    step = 10**9 // per_second
    if np.any(nanoseconds % step):
        raise pa.ArrowInvalid("finer than the unit")
    if len(seconds) and max(abs(int(seconds.min())), abs(int(seconds.max()))) >= (2**63 - 1) // per_second:
        raise pa.ArrowInvalid("out of range")
    return np.asarray(seconds * per_second + nanoseconds // step, np.int64)


def _nanoseconds(fractions: pa.StringArray) -> Numbers:
    return _numbers(pc.ascii_rpad(fractions, 9, "0"))


def _offsets(texts: pa.StringArray) -> Numbers:
    """Return seconds east of Greenwich: of Z, +0200 and +02:00."""
    digits = pc.replace_substring(pc.if_else(pc.equal(texts, "Z"), "+0000", texts), ":", "")
    number = digits.cast(pa.float64()).to_numpy().astype(np.int64)  # floats may have a plus sign
    hours, minutes = np.divmod(np.abs(number), 100)
    if len(number) and (hours.max() > 23 or minutes.max() > 59):
        raise pa.ArrowInvalid("invalid offset")
    return np.asarray(np.sign(number) * (hours * 3600 + minutes * 60))


def _positions(texts: pa.StringArray, names: tuple[str, ...]) -> Numbers:
    return np.asarray(pc.index_in(pc.ascii_lower(texts), value_set=pa.array(names)).to_numpy(), np.int64) + 1


def _numbers(texts: pa.StringArray) -> Numbers:
    """Return digits as numbers, and text that is missing as 0."""
    return _integers(pc.if_else(pc.equal(texts, ""), "0", texts))


def _integers(texts: pa.StringArray) -> Numbers:
    return np.asarray(texts.cast(pa.int64()).to_numpy())
