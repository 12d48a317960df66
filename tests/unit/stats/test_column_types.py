"""Figures of columns that are not plain numbers, against numpy, pandas and Python's decimals."""

import datetime as dt
import io
import random
import statistics
import warnings
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import soundfile
from catalog import facts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from unit.parquetizer.media_files import IMAGES, SOUNDS
from unit.stats import data_sets, tables
from unit.stats.data_sets import parquet
from unit.stats.tables import describe, lay, measure, measured

FIGURES = ("mean", "std", "min", "max", "median")
MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
TIMES = pa.list_(pa.struct([("x", pa.timestamp("s"))]))
quiet = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def of_numpy(values: Any) -> Any:
    """Return what statistics should be."""
    series = pd.Series(np.asarray(values, np.float64))
    return pytest.approx({figure: float(getattr(series, figure)()) for figure in FIGURES}, rel=1e-11)


def picture(size: tuple[int, int], kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, kind)
    return file.getvalue()


def sound(rate: int, shape: tuple[int, int], kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(shape), rate, format=kind, **options)
    return file.getvalue()


def media_table(folder: Path, kind: str, files: Sequence[bytes | None]) -> Path:
    column = pa.array([None if file is None else {"bytes": file, "path": "p"} for file in files], MEDIA)
    path = lay(folder, pa.table({"file": column}))
    describe(folder, [("file", kind)])
    return path


@pytest.mark.parametrize("rows_of_group", [2, 1000])
def test_one_table_of_all_types(folder: Path, rows_of_group: int):
    """Read by row groups or at once."""
    count = 101
    chance = np.random.default_rng(5)
    seconds = chance.integers(-(10**9), 2 * 10**9, count)
    micros = seconds * 10**6 + chance.integers(0, 10**6, count)
    cents = chance.integers(-(10**9), 10**9, count)
    tags = [["t"] * int(size) for size in chance.integers(0, 9, count)]
    blobs = [bytes(int(size)) for size in chance.integers(0, 999, count)]
    table = pa.table(
        {
            "flag": pa.array([True, False, None] * 33 + [True, True]),
            "i": pa.array(seconds),
            "f": pa.array(cents / 7, pa.float32()),
            "price": pa.array([None, *(Decimal(int(cent)).scaleb(-2) for cent in cents[1:])], pa.decimal128(12, 2)),
            "day": pa.array(seconds // 86_400, pa.int32()).cast(pa.date32()),
            "at_s": pa.array(seconds).cast(pa.timestamp("s")),
            "at_us": pa.array(micros).cast(pa.timestamp("us", "Europe/Paris")),
            "at_ns": pa.array(micros * 1000 + 7).cast(pa.timestamp("ns")),
            "clock_s": pa.array(seconds % 86_400, pa.int32()).cast(pa.time32("s")),
            "clock": pa.array(micros % (86_400 * 10**6)).cast(pa.time64("us")),
            "took": pa.array(micros).cast(pa.duration("us")),
            "blob": pa.array([None if row % 2 else blob for row, blob in enumerate(blobs)]),
            "key4": pa.array([b"abcd"] * count, pa.binary(4)),
            "tags": pa.array([None if row % 2 else tag for row, tag in enumerate(tags)]),
            "times": pa.array([[{"x": dt.datetime(2020, 1, 1)}]] * count, TIMES),
            "point": pa.array([None if row % 2 else {"x": 1} for row in range(count)]),
            "word": pa.array(["a"] * count),
        }
    )  # fmt: skip
    document = measured(lay(folder, table, rows_of_group=rows_of_group))
    of_columns = document["statistics"]["features"]
    assert of_columns.keys() == {"i", "f", "price", "blob.bytes", "key4.bytes", "tags.length", "times.length"}
    assert of_columns["i"] == of_numpy(seconds)
    assert of_columns["f"] == of_numpy((cents / 7).astype(np.float32))
    assert of_columns["price"] == of_numpy(cents[1:] / 100)
    sizes = [len(blob) for blob in blobs[::2]]
    assert of_columns["blob.bytes"].pop("sum") == np.sum(sizes)
    assert of_columns["blob.bytes"] == of_numpy(sizes)
    assert (of_columns["key4.bytes"]["sum"], of_columns["key4.bytes"]["std"]) == (4 * count, 0)
    assert of_columns["tags.length"] == of_numpy([len(tag) for tag in tags[::2]])
    assert of_columns["times.length"]["max"] == 1

    def ends(values: Any) -> dict[str, str]:
        return {name: str(getattr(np, name)(values)) for name in ("min", "max")} | {
            "median": str(np.sort(values)[count // 2])  # of an odd number
        }

    ranges = document["summary"]["ranges"]
    assert list(ranges) == ["price", "day", "at_s", "at_us", "at_ns", "clock_s", "clock", "took"]
    assert ranges["price"] == {"min": f"{min(cents[1:]) / 100:.2f}", "max": f"{max(cents[1:]) / 100:.2f}"}
    assert ranges["day"] == ends((seconds // 86_400).astype("datetime64[D]"))
    assert ranges["at_s"] == ends(seconds.astype("datetime64[s]"))
    utc = ends(micros.astype("datetime64[us]"))
    assert ranges["at_us"] == {name: f"{text}Z" for name, text in utc.items()}
    nanoseconds = ends((micros * 1000 + 7).astype("datetime64[ns]"))
    assert ranges["at_ns"] == {**nanoseconds, "median": f"{utc['median']}000"}
    clock = pd.Series(micros % (86_400 * 10**6)).astype("datetime64[us]").dt.time
    assert [dt.time.fromisoformat(ranges["clock"][name]) for name in ("min", "max", "median")] == [
        clock.min(), clock.max(), sorted(clock)[count // 2],
    ]  # fmt: skip
    assert ranges["clock_s"]["max"] == str((seconds % 86_400).max().astype("datetime64[s]"))[11:]
    took = {name: text.partition("PT") for name, text in ranges["took"].items()}
    assert {name: Decimal(sign + text[:-1]) for name, (sign, _, text) in took.items()} == {
        "min": Decimal(int(micros.min())) / 10**6,
        "max": Decimal(int(micros.max())) / 10**6,
        "median": Decimal(int(np.sort(micros)[count // 2])) / 10**6,
    }
    assert document["summary"]["flag_distribution"] == {"False": 33, "True": 35}
    assert document["checks"]["missing"] == {"flag": 33, "price": 1, "blob": 50, "tags": 50, "point": 50}
    facts.check(document, "metadata.json")  # the catalogue reads it


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**13), max_value=10**13)


@quiet
@given(values=st.lists(st.none() | DECIMALS, min_size=1, max_size=30), wide=st.booleans())
def test_figures_of_decimals_are_those_of_python(folder: Path, values: list[Decimal | None], wide: bool):
    column = pa.array(values, pa.decimal256(76, 6) if wide else pa.decimal128(20, 6))
    document = measured(lay(folder, pa.table({"x": column, "n": range(len(values))})))
    figures, ends = document["statistics"]["features"]["x"], document["summary"]["ranges"]["x"]
    numbers = [value for value in values if value is not None]
    if not numbers:
        assert figures == dict.fromkeys(FIGURES) and ends == {"min": None, "max": None}
        assert "x has no value" in document["checks"]["warnings"]
        return
    assert {name: Decimal(text) for name, text in ends.items()} == {"min": min(numbers), "max": max(numbers)}
    largest = float(max(map(abs, numbers)))
    expected = {"mean": statistics.mean(numbers), "median": statistics.median(numbers)}
    expected |= {"min": min(numbers), "max": max(numbers)}
    for name, value in expected.items():
        assert figures[name] == pytest.approx(float(value), rel=1e-11, abs=largest * 1e-13), name
    if len(numbers) > 1:
        assert figures["std"] == pytest.approx(float(statistics.stdev(numbers)), rel=1e-9, abs=largest * 1e-9)
    else:
        assert figures["std"] is None


def test_a_decimal_wider_than_a_double_is_exact_in_its_range(folder: Path):
    digits = "12345678901234567890123456789.000000001"
    column = pa.array([Decimal(digits), Decimal("-0.000000001")], pa.decimal128(38, 9))
    document = measured(lay(folder, pa.table({"x": column})))
    assert document["summary"]["ranges"]["x"] == {"min": "-0.000000001", "max": digits}
    assert document["statistics"]["features"]["x"]["max"] == 1.23456789012e28


def test_the_median_of_an_even_number_of_times_is_rounded_down(folder: Path):
    days = pa.array([dt.date(1969, 12, 30), dt.date(1969, 12, 31)] * 2)
    took = pa.array([-2, -1] * 2, pa.duration("s"))
    ranges = measured(lay(folder, pa.table({"day": days, "took": took})))["summary"]["ranges"]
    assert ranges["day"] == {"min": "1969-12-30", "max": "1969-12-31", "median": "1969-12-30"}
    assert ranges["took"] == {"min": "-PT2S", "max": "-PT1S", "median": "-PT2S"}
    assert pd.Timedelta(ranges["took"]["min"]) == pd.Timedelta(seconds=-2)


def test_a_column_of_times_without_values_has_no_range(folder: Path):
    table = pa.table({"at": pa.array([None, None], pa.timestamp("us")), "n": [1, 2]})
    document = measured(lay(folder, table))
    assert document["summary"]["ranges"] == {"at": dict.fromkeys(("min", "max", "median"))}
    assert document["checks"]["warnings"] == ["at has no value"]


def test_images_have_sizes_and_formats(folder: Path):
    sizes, kinds = [(16, 12), (8, 30), (100, 1)], ["PNG", "JPEG", "WEBP"]
    files = [picture(size, kind) for size, kind in zip(sizes, kinds, strict=True)]
    document = measured(media_table(folder, "image", [*files, None]))
    of_file = document["statistics"]["features"]
    assert of_file["file.bytes"].pop("sum") == sum(map(len, files))
    assert of_file == {
        "file.bytes": of_numpy([len(file) for file in files]),
        "file.width": of_numpy([width for width, _ in sizes]),
        "file.height": of_numpy([height for _, height in sizes]),
    }
    assert document["summary"]["file.format_distribution"] == {"JPEG": 1, "PNG": 1, "WEBP": 1}
    assert document["checks"]["warnings"] == [] and document["checks"]["missing"] == {"file": 1}
    assert facts.distributions(document)["file.format"][""] == {"JPEG": 1, "PNG": 1, "WEBP": 1}


def test_audio_has_rate_channels_and_duration(folder: Path):
    files = [
        sound(8000, (2000, 1), "WAV"),
        sound(44_100, (44_100, 2), "FLAC"),
        sound(16_000, (8000, 1), "OGG"),
        sound(16_000, (16_000, 1), "MP3"),
        sound(48_000, (12_000, 3), "WAVEX", subtype="PCM_24"),
    ]
    document = measured(media_table(folder, "audio", files))
    of_file = document["statistics"]["features"]
    assert of_file["file.seconds"] == of_numpy([0.25, 1, 0.5, 1, 0.25])
    assert of_file["file.rate"] == of_numpy([8000, 44_100, 16_000, 16_000, 48_000])
    assert of_file["file.channels"] == of_numpy([1, 2, 1, 1, 3])
    assert document["summary"]["file.format_distribution"] == {"FLAC": 1, "MP3": 1, "OGG": 1, "WAV": 2}


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_a_file_of_unknown_format_is_a_warning(folder: Path, kind: str):
    """Such files come from Parquet that others wrote; also one of which there is the path only."""
    good = picture((3, 4), "PNG") if kind == "image" else sound(8000, (800, 1), "WAV")
    column = pa.array([{"bytes": data, "path": "p"} for data in (good, good[:20], b"?" * 5, None)], MEDIA)
    table = lay(folder, pa.table({"file": column}))
    describe(folder, [("file", kind)])
    with warnings.catch_warnings(action="error"):
        document = measured(table)
    assert document["summary"]["file.format_distribution"]["unknown"] == 3
    assert document["statistics"]["features"]["file.bytes"]["sum"] == len(good) + 20 + 5
    assert document["statistics"]["features"]["file.width" if kind == "image" else "file.seconds"]["max"] in (3, 0.1)
    assert (
        "file has 3 files of unknown format; its statistics besides bytes leave them out"
        in (document["checks"]["warnings"])
    )


@pytest.mark.parametrize(("kind", "files"), [("image", IMAGES), ("audio", SOUNDS)], ids=["image", "audio"])
def test_damaged_headers_end_the_run_in_no_error(folder: Path, kind: str, files: tuple[bytes, ...]):
    chance = random.Random(4)
    damaged = []
    for _ in range(500):
        data = bytearray(chance.choice(files))
        for _ in range(chance.choice((1, 2, 8))):
            data[chance.randrange(min(len(data), 300))] = chance.choice((0, 255, chance.randrange(256)))
        damaged.append(bytes(data[: chance.choice((len(data), chance.randrange(300)))]))
    document = measured(media_table(folder, kind, damaged))
    formats = document["summary"]["file.format_distribution"]
    assert 0 < formats["unknown"] < 500 and sum(formats.values()) == 500
    assert document["statistics"]["features"]["file.bytes"]["sum"] == sum(map(len, damaged))


def test_a_column_that_has_the_name_of_a_measure_keeps_it(folder: Path):
    document = measured(lay(folder, pa.table({"tags": [["a"], []], "tags.length": [5, 7]})))
    assert list(document["statistics"]["features"]) == ["tags.length"]
    assert document["statistics"]["features"]["tags.length"]["mean"] == 6


@pytest.mark.extended
def test_a_median_of_many_lengths_is_exact(folder: Path):
    """More than are in memory, of which more share their leading digits than are sorted at once."""
    chance = np.random.default_rng(1)
    column = pa.array([b"x" * 10, b"x" * 11, None]).take(pa.array(chance.integers(0, 3, 700_000)))
    document = measured(lay(folder, pa.table({"b": column}), rows_of_group=1 << 17))
    sizes = pc.binary_length(column.drop_null()).to_numpy()
    assert document["statistics"]["features"]["b.bytes"]["median"] == np.median(sizes)


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.time64("us"), pa.list_(pa.timestamp("us"))], ids=str)
def test_another_unit_than_parquet_stores_for_the_declared_one_is_refused(folder: Path, kind: pa.DataType):
    declared = pa.timestamp("s") if pa.types.is_timestamp(kind) else pa.time32("s")
    declared = pa.list_(pa.timestamp("s")) if pa.types.is_list(kind) else declared
    path = lay(folder, pa.table({"at": pa.array([None], kind)}))
    tables.sign(folder, pa.table({"at": pa.array([None], declared)}), path, {"all": 1})
    describe(folder, [("at", str(declared))])
    result = measure(path)
    assert result.exit_code == 22
    assert "error: table.parquet: expected columns [['at', '" in result.stderr


def test_a_fraction_of_a_second_where_seconds_are_declared_is_refused(folder: Path):
    """Parquet stores both as milliseconds."""
    path = lay(folder, pa.table({"at": pa.array([1500], pa.timestamp("ms"))}))
    tables.sign(folder, pa.table({"at": pa.array([1], pa.timestamp("s"))}), path, {"all": 1})
    describe(folder, [("at", "timestamp[s]")])
    result = measure(path)
    assert result.exit_code == 23
    assert result.stderr.startswith(
        "error: table.parquet row group 0: Casting from timestamp[ms] to timestamp[s] would"
    )


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ([["a"]], "list<item: string>"),
        ([{"x": 1}], "struct<x: int64>"),
        ([b"a"], "binary"),
        ([dt.datetime(2020, 1, 1)], "timestamp[us]"),
    ],
)
def test_values_that_cannot_be_counted_are_refused(folder: Path, column: list[Any], kind: str):
    result = measure(lay(folder, pa.table({"x": column}), stats={"distributions": ["x"]}))
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        2,
        f"error: stats.distributions: values of x, {kind}, cannot be counted; fix: remove it from the list",
    )


def test_dates_and_decimals_can_be_counted(folder: Path):
    table = pa.table({"day": pa.array([dt.date(2020, 1, 2)] * 3), "price": pa.array([Decimal("1.50")] * 3)})
    document = measured(lay(folder, table, stats={"distributions": ["day", "price"]}))
    assert document["summary"]["day_distribution"] == {"2020-01-02": 3}
    assert document["summary"]["price_distribution"] == {"1.50": 3}


def test_splits_have_ranges_formats_and_measures(folder: Path):
    schema = pa.schema([("file", MEDIA), ("day", pa.date32())])
    parts = []
    for split, days in (("train", [1, 3]), ("test", [7, 5])):
        rows = [{"file": {"bytes": picture((day, 2), "PNG"), "path": f"{day}.png"}, "day": day} for day in days]
        parts.append((split, parquet(split).as_posix(), pa.Table.from_pylist(rows, schema)))
        parquet(split).parent.mkdir(parents=True)
        pq.write_table(parts[-1][2], parquet(split), write_page_checksum=True)
    data_sets.sign(schema, parts)
    columns = [{"name": "file", "type": "image"}, {"name": "day", "type": "date"}]
    data_sets.describe(columns=columns)
    document = measured(Path("processed"))
    assert document["splits"]["test"] == {
        "num_samples": 2,
        "num_features": 2,
        "file.format_distribution": {"PNG": 2},
        "ranges": {"day": {"min": "1970-01-06", "max": "1970-01-08", "median": "1970-01-07"}},
    }
    metrics = document["metrics"]
    assert (metrics["train"]["file.width_mean"], metrics["test"]["file.width_mean"]) == (2, 6)
    assert metrics["train"]["file.bytes_sum"] == sum(len(picture((day, 2), "PNG")) for day in (1, 3))
    assert document["checks"]["warnings"] == []
    facts.check(document, "metadata.json")
