"""Thirty datasets as people have them: files of packages, and made ones of what no package has.

Each says where its files are, what another library reads in them, and what is to be proposed.
"""

import bz2
import dataclasses
import gzip
import importlib.util
import io
import json
import lzma
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from data_registry.clone import repository


@dataclasses.dataclass(frozen=True)
class Case:
    """A dataset: ``prepare`` writes its files into a folder and returns what FROM= names; ``read`` is the truth.

    ``types`` are those that pandas does not have, ``settings`` those of the section parquetizer, but the inputs.
    """

    name: str
    prepare: Callable[[Path], Path]
    read: Callable[[Path], pd.DataFrame]
    format: str = "csv"
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    types: Mapping[str, str] = dataclasses.field(default_factory=dict)
    key: tuple[str, ...] = ()
    classes: Mapping[str, int] = dataclasses.field(default_factory=dict)  # by column, how many
    splits: Mapping[str, int] = dataclasses.field(default_factory=dict)  # rows of each
    quick: bool = False  # in make test-all


def package(name: str, *parts: str) -> Path:
    """Return a file of an installed package, which is not imported."""
    spec = importlib.util.find_spec(name)
    assert spec and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0], *parts)


def copied(name: str, *parts: str) -> Callable[[Path], Path]:
    """Return what copies a file of a package."""

    def prepare(folder: Path) -> Path:
        return Path(shutil.copy(package(name, *parts), folder))

    return prepare


def compressed(name: str, compress: Callable[[bytes], bytes], *parts: str) -> Callable[[Path], Path]:
    """Return what writes the file ``name``: a file of a package, compressed in another way."""

    def prepare(folder: Path) -> Path:
        source = package(*parts)
        content = source.read_bytes()
        path = folder / name
        path.write_bytes(compress(gzip.decompress(content) if source.suffix == ".gz" else content))
        return path

    return prepare


def zstandard(content: bytes) -> bytes:
    return bytes(pa.compress(content, "zstd", asbytes=True))


def read_zstandard(path: Path) -> pd.DataFrame:
    with pa.input_stream(str(path), compression="zstd") as file:
        return pd.read_csv(file, keep_default_na=False)


def written(name: str, content: Callable[[], str | bytes]) -> Callable[[Path], Path]:
    """Return what writes a file."""

    def prepare(folder: Path) -> Path:
        made = content()
        path = folder / name
        path.write_bytes(made.encode() if isinstance(made, str) else made)
        return path

    return prepare


def csv(**options: Any) -> Callable[[Path], pd.DataFrame]:
    """Return a reader of CSV by pandas."""

    def read(path: Path) -> pd.DataFrame:
        frame: pd.DataFrame = pd.read_csv(path, **options)
        return frame

    return read


def columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Name columns by their position, as those without a header are."""
    return frame.set_axis([f"column_{number}" for number in range(1, frame.shape[1] + 1)], axis=1)


def numbers(text: pd.Series) -> pd.Series:
    return text.str.strip().str.replace(",", "").astype("int64")


def unemployment(path: Path) -> pd.DataFrame:
    frame = columns(pd.read_csv(path, header=None, dtype={1: str, 2: str}, skipinitialspace=True))
    return frame.assign(**{name: numbers(frame[name]) for name in ("column_6", "column_7", "column_8")})


def german() -> bytes:
    """Return what a spreadsheet exports in Germany, with its preamble, and columns and rows that are empty."""
    rows = "".join(
        f"Müller {number};{number},5;1.{number:03},25;{number % 28 + 1:02}.03.2024;;\n" for number in range(300)
    )
    return f"Messwerte\nStand: März 2024\nName;Wert;Summe;Tag;;\n{rows};;;;;\n".encode("cp1252")


def read_german(path: Path) -> pd.DataFrame:
    options: dict[str, Any] = {"sep": ";", "decimal": ",", "thousands": ".", "encoding": "cp1252", "skiprows": 2}
    frame: pd.DataFrame = pd.read_csv(path, **options, dtype={"Tag": str}).dropna(how="all").iloc[:, :4]
    return frame


def spam() -> str:
    """Return labels before texts, with quotes that are not closed, as the SMS Spam Collection has them."""
    texts = ('Call "now', "ok, see you; bye", "it's 5\" wide", "WIN £100", "why not?")
    return "".join(f"{'spam' if number % 7 == 0 else 'ham'}\t{texts[number % 5]} {number}\n" for number in range(500))


def adult() -> str:
    """Return a table with spaces after its commas and ? for a missing value, as the Adult data set has them."""
    jobs = ("Private", "State-gov", "?", "Self-emp")
    rows = (
        f"{20 + number % 50}, {jobs[number % 4]}, {number * 7919}, {'<=50K' if number % 3 else '>50K'}\n"
        for number in range(400)
    )
    return "age, workclass, fnlwgt, income\n" + "".join(rows)


def chats() -> str:
    lines = []
    for number in range(200):
        messages = [
            {"role": "user", "content": f"Question {number}?\n"},
            {"role": "assistant", "content": f"Ä {number}"},
        ]
        lines.append({"id": f"chat-{number:04}", "messages": messages[: 1 + number % 2], "score": number / 4 or None})
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def log() -> str:
    levels = ("info", "warning", "error")
    times = [f"2024-02-{number % 28 + 1:02}T10:{number % 60:02}:00.{number:03}Z" for number in range(300)]
    rows = [f"{time}|{levels[number % 3]}|{number}|{('no', 'yes')[number % 2]}\n" for number, time in enumerate(times)]
    return f"# of a server\ntime|level|ms|ok\n{''.join(rows)}"


def zipped_iris(folder: Path) -> Path:
    frame = pd.read_csv(package("bokeh_sampledata", "_data", "iris.csv"))
    path = folder / "iris.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("iris/README.md", "# Iris\n")
        archive.writestr("iris/train.csv", frame.iloc[::2].to_csv(index=False))
        archive.writestr("iris/test.csv", frame.iloc[1::2].to_csv(index=False))
    return path


def read_zipped_iris(path: Path) -> pd.DataFrame:
    with zipfile.ZipFile(path) as archive:
        parts = [pd.read_csv(io.BytesIO(archive.read(f"iris/{split}.csv"))) for split in ("train", "test")]
    return pd.concat(parts, ignore_index=True)


def emotion(folder: Path) -> Path:
    target = folder / "emotion"
    target.mkdir()
    for split in ("train", "val", "test"):
        shutil.copy(repository() / "data" / "emotion" / "sample" / f"{split}.txt", target)
    return target


def read_emotion(path: Path) -> pd.DataFrame:
    frames = [
        pd.read_csv(path / f"{split}.txt", sep=";", names=["text", "label"]) for split in ("train", "val", "test")
    ]
    return pd.concat(frames, ignore_index=True)


def wine(folder: Path) -> Path:
    return Path(shutil.copy(repository() / "data" / "wine-quality" / "sample" / "winequality-red.csv", folder))


def nested(folder: Path) -> Path:
    """Write two files of nested Parquet, of splits that their names say."""
    target = folder / "qa"
    target.mkdir()
    for split, count in (("train", 300), ("validation", 100)):
        rows = [
            {
                "id": f"{split}-{number}",
                "question": f"Why {number}?",
                "answers": {"text": ["a"] * (number % 3), "start": [number]},
            }
            for number in range(count)
        ]
        pq.write_table(pa.Table.from_pylist(rows), target / f"{split}-00000-of-00001.parquet")
    return target


def read_nested(path: Path) -> pd.DataFrame:
    files = sorted(path.glob("*.parquet"), key=lambda file: "validation" in file.name)
    frame: pd.DataFrame = pd.concat([pq.read_table(file).to_pandas() for file in files], ignore_index=True)
    return frame


def sales(folder: Path) -> Path:
    """Write Arrow with decimals, times, durations and binary."""
    path = folder / "sales.arrow"
    rows = range(500)
    table = pa.table(
        {
            "sku": [f"{number:05}" for number in rows],
            "price": pa.array(list(rows), pa.decimal128(9, 2)),
            "sold": pa.array([number * 10**6 for number in rows], pa.timestamp("us", "UTC")),
            "opens": pa.array(list(rows), pa.time32("s")),
            "took": pa.array(list(rows), pa.duration("s")),
            "raw": [bytes([number % 256]) for number in rows],
        }
    )
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return path


def read_stream(path: Path) -> pd.DataFrame:
    frame: pd.DataFrame = pa.ipc.open_stream(path.read_bytes()).read_all().to_pandas()
    return frame


def tarred(folder: Path) -> Path:
    """Write JSON lines, of two parts, into a compressed tar archive."""
    path = folder / "reviews.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for part in range(2):
            rows = [
                {"stars": number % 5 + 1, "text": f"Review {part} {number}", "ok": number % 2 == 0}
                for number in range(250)
            ]
            data = "".join(json.dumps(row) + "\n" for row in rows).encode()
            member = tarfile.TarInfo(f"reviews/part-{part}.jsonl")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def read_tarred(path: Path) -> pd.DataFrame:
    with tarfile.open(path) as archive:
        files = [io.BytesIO(file.read()) for name in archive.getnames() if (file := archive.extractfile(name))]
    parts = [pd.read_json(file, lines=True) for file in files]
    return pd.concat(parts, ignore_index=True)


B, V, S = "bokeh_sampledata", "vega_datasets", "sklearn"
PENGUINS = {"true-values": ["Yes"], "false-values": ["No"], "null-values": ["NA"]}
NULLS = {"null-values": [""]}
NO_HEADER = {"header": False}
TUPLE = "struct<text: list<string>, start: list<int64>>"
CASES = (
    Case("titanic", copied(B, "_data", "titanic_all.csv"), csv(), settings=NULLS, classes={"class": 4}, quick=True),
    Case(
        "penguins-raw",
        copied("palmerpenguins", "data", "penguins-raw.csv"),
        lambda path: pd.read_csv(path).assign(
            **{"Clutch Completion": lambda frame: frame["Clutch Completion"] == "Yes"}
        ),
        settings=PENGUINS,
        types={"Date Egg": "date"},
        key=("studyName", "Individual ID"),
        classes={"Species": 3},
    ),
    Case(
        "penguins",
        copied("palmerpenguins", "data", "penguins.csv"),
        csv(),
        settings={"null-values": ["NA"]},
        classes={"species": 3},
    ),
    Case("gapminder", copied(B, "_data", "gapminder.csv.gz"), csv(), settings=NULLS, key=("country", "year")),
    Case(
        "elements",
        copied(B, "_data", "elements.csv"),
        csv(na_values=["-"]),
        settings={"null-values": ["", "-"]},
        key=("atomic number",),
    ),
    Case(
        "unemployment",
        copied(B, "_data", "unemployment09.csv.gz"),
        unemployment,
        settings={**NO_HEADER, "thousands": ",", "trim": True},
        key=("column_1",),
        quick=True,
    ),
    Case(
        "glucose",
        copied(B, "_data", "CGM.csv.gz"),
        csv(na_values=["nil"]),
        settings={"null-values": ["nil"]},
        types={"datetime": "timestamp[ms]"},
    ),
    Case("mpg", copied(B, "_data", "auto-mpg2.csv"), csv(index_col=0), settings={"ignore": [""]}, classes={"class": 7}),
    Case(
        "airports",
        compressed("airports.csv.xz", lzma.compress, V, "_data", "airports.csv"),
        csv(keep_default_na=False),
        key=("iata",),
    ),
    Case("stocks", copied(V, "_data", "stocks.csv"), csv(), types={"date": "date"}, key=("symbol", "date"), quick=True),
    Case(
        "seattle-temperatures",
        copied(V, "_data", "seattle-temps.csv"),
        csv(),
        types={"date": "timestamp[ms]"},
        key=("date",),
    ),
    Case(
        "la-riots",
        copied(V, "_data", "la-riots.csv"),
        csv(),
        settings=NULLS,
        types={"death_date": "date"},
        key=("last_name", "address"),
    ),
    Case(
        "sea-surface",
        copied(B, "_data", "sea_surface_temperature.csv.gz"),
        csv(),
        types={"time (UTC)": "timestamp[ms, UTC]"},
    ),
    Case(
        "breast-cancer",
        copied(S, "datasets", "data", "breast_cancer.csv"),
        lambda path: columns(pd.read_csv(path, header=None, skiprows=1)),
        settings={**NO_HEADER, "skip-rows": 1},
    ),
    Case("linnerud", copied(S, "datasets", "data", "linnerud_exercise.csv"), csv(sep=" "), settings={"delimiter": " "}),
    Case(
        "digits",
        copied(S, "datasets", "data", "digits.csv.gz"),
        lambda path: columns(pd.read_csv(path, header=None)),
        settings=NO_HEADER,
    ),
    Case("cities", compressed("cities.csv.zst", zstandard, B, "_data", "world_cities.csv.gz"), read_zstandard),
    Case("population", compressed("population.csv.bz2", bz2.compress, B, "_data", "population.csv.gz"), csv()),
    Case("wine", wine, csv(sep=";"), settings={"delimiter": ";"}),
    Case(
        "feelings",
        emotion,
        read_emotion,
        settings={**NO_HEADER, "delimiter": ";"},
        classes={"label": 6},
        splits={"train": 0, "validation": 0, "test": 0},
        quick=True,
    ),
    Case(
        "german",
        written("export.csv", german),
        read_german,
        settings={
            **{"skip-rows": 2, "skip-empty-rows": True, "delimiter": ";", "encoding": "cp1252", "ignore": [""]},
            **{"decimal": ",", "thousands": "."},
        },
        types={"Tag": "date"},
        key=("Name",),
        quick=True,
    ),
    Case(
        "spam",
        written("SMSSpamCollection", spam),
        lambda path: pd.read_csv(path, sep="\t", quoting=3, names=["label", "text"]),
        settings={**NO_HEADER, "delimiter": "\t", "quote": "none"},
        key=("text",),
        classes={"label": 2},
    ),
    Case(
        "adult",
        written("adult.data", adult),
        csv(skipinitialspace=True, na_values=["?"]),
        settings={"trim": True, "null-values": ["?"]},
    ),
    Case(
        "log",
        written("server.log.gz", lambda: gzip.compress(log().encode("utf-16"), mtime=0)),
        lambda path: pd.read_csv(path, sep="|", comment="#", encoding="utf-16").assign(
            ok=lambda frame: frame["ok"] == "yes"
        ),
        settings={
            "comment": "#",
            "delimiter": "|",
            "encoding": "utf-16",
            "true-values": ["yes"],
            "false-values": ["no"],
        },
        types={"time": "timestamp[ms, UTC]"},
        key=("time",),
    ),
    Case("iris", zipped_iris, read_zipped_iris, classes={"species": 3}, splits={"train": 75, "test": 75}, quick=True),
    Case(
        "cars",
        copied(V, "_data", "cars.json"),
        lambda path: pd.DataFrame(json.loads(path.read_text())),
        "json",
        types={"Year": "date"},
    ),
    Case(
        "chats",
        written("chats.jsonl", chats),
        lambda path: pd.read_json(path, lines=True),
        "json",
        types={"messages": "list<struct<role: string, content: string>>"},
        key=("id",),
        quick=True,
    ),
    Case("reviews", tarred, read_tarred, "json", key=("text",)),
    Case(
        "qa",
        nested,
        read_nested,
        "parquet",
        types={"answers": TUPLE},
        key=("id",),
        splits={"train": 300, "validation": 100},
        quick=True,
    ),
    Case(
        "sales",
        sales,
        read_stream,
        "arrow",
        types={
            **{"price": "decimal(9, 2)", "sold": "timestamp[us, UTC]", "opens": "time[ms]", "took": "duration[s]"},
            **{"raw": "binary"},
        },
        key=("sku",),
    ),
)
