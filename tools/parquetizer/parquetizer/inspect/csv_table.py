"""Propose how to read CSV files as one table, in two passes over them: for the dialect, and for the values."""

import codecs
import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Final

from stage.errors import EmptyInput, UsageError
from stage.redaction import listed

from parquetizer.formats.csv_dialect import NO_QUOTE, CsvDialect
from parquetizer.inspect.csv_strings import CsvStrings
from parquetizer.inspect.dialect import Dialect, DialectFacts
from parquetizer.inspect.encodings import HEAD, EncodingFacts
from parquetizer.inspect.labels import split_column
from parquetizer.inspect.proposal import Table, changed
from parquetizer.inspect.raw_items import SEPARATE, Items
from parquetizer.inspect.string_types import propose_types
from parquetizer.raw.files import RawFile

BLOCK: Final = 1 << 20
DEFAULTS: Final = CsvDialect()


def inspect_csv(files: Items) -> Table:
    """Propose the table that CSV files of one dialect and the same columns are.

    Raises UsageError if they are of several, and what the reader of CSV raises.
    """
    dialects = [(file.name, *_dialect(file)) for file in files.files()]
    dialect, fields, reasons = _common(dialects)
    strings = CsvStrings(files, dialect, fields)
    has_header, reasons["header"] = strings.is_header()
    names, ignored, skips_header = strings.names() if has_header else (strings.invented_names(), {}, False)
    dialect = dataclasses.replace(
        dialect,
        header=has_header and not skips_header,
        skip_rows=dialect.skip_rows + skips_header,
        ignore=tuple(ignored),
        skip_empty_rows=bool(strings.empty_rows),
    )
    if skips_header:
        reasons["header"] = (
            "its names are empty, repeated or all numbers: it is skipped, and columns are taken by position"
        )
    reasons["ignore"] = "; ".join(ignored.values())
    reasons["skip-empty-rows"] = f"{strings.empty_rows:,} rows have no value"
    facts = {name: column for name, column in zip(names, strings.columns, strict=True) if name not in ignored}
    if not next(iter(facts.values())).rows:
        raise EmptyInput(files.items[0].path, "no rows after the header", "check that the source sent the whole file")
    typed = propose_types(facts, dialect.delimiter)
    if typed.settings.get("trim"):
        names = [name.strip() for name in names]
        typed = dataclasses.replace(
            typed, columns=tuple(dataclasses.replace(column, name=column.name.strip()) for column in typed.columns)
        )
    settings = {**changed(dialect, DEFAULTS), **typed.settings}
    key, reasons["key"] = strings.key(names, {column.name: column.type for column in typed.columns})
    if key:
        settings["key"] = list(key)
    strings_of = {name: column.distinct.to_pylist() for name, column in facts.items() if column.distinct is not None}
    split = split_column(strings_of)
    reasons |= typed.reasons
    return dataclasses.replace(
        typed,
        settings=settings,
        reasons={key: reason for key, reason in reasons.items() if key in {*settings, "header", "key"}},
        split_column=split,
        split_values=tuple(strings_of.get(split, ())),
        group=strings.groups.group() if has_header else "",
    )


def _dialect(file: RawFile) -> tuple[str, str, Dialect]:
    """Return the encoding of a file, the reason, and the dialect."""
    dialect = DialectFacts()
    with file.open() as stream:
        block = stream.read(BLOCK)
        encoding = EncodingFacts(block[:HEAD])
        decoder = codecs.getincrementaldecoder(encoding.marked[0] if encoding.marked else "latin-1")(errors="replace")
        while block:
            encoding.add(block)
            dialect.add(decoder.decode(block).encode() if encoding.marked else block)
            block = stream.read(BLOCK)
    return *encoding.result(), dialect.result()


def _common(files: Sequence[tuple[str, str, str, Dialect]]) -> tuple[CsvDialect, int, dict[str, str]]:
    """Return the settings that all files share but those of the header, the fields of a row, and the reasons.

    ``files`` have their name, their encoding with its reason, and their dialect.
    """
    encodings = {encoding: reason for _, encoding, reason, _ in files}
    encoding = next((name for name in encodings if name != "utf-8"), "utf-8")
    if {*encodings} - {encoding, "utf-8"} or ("utf-8" in encodings and encoding.startswith("utf-16")):
        fix = "convert them to UTF-8"
        raise UsageError("FROM", f"the files have several encodings: {listed(list(encodings))}", fix)
    found = [dialect for *_, dialect in files]
    usual, _ = Counter((dialect.delimiter, dialect.fields, dialect.skip_rows) for dialect in found).most_common(1)[0]
    for name, _, _, dialect in files:
        if (dialect.delimiter, dialect.fields, dialect.skip_rows) != usual:
            what = f"{dialect.fields} columns delimited by {dialect.delimiter!r} after {dialect.skip_rows} lines"
            raise UsageError(name, f"has {what}, unlike the other files", SEPARATE)
    reasons = {key: reason for dialect in reversed(found) for key, reason in dialect.reasons}
    if encodings[encoding]:
        reasons["encoding"] = encodings[encoding]
    quotes = {dialect.quote for dialect in found} - {DEFAULTS.quote}
    return (
        CsvDialect(
            header=False,
            skip_rows=usual[2],
            comment="#" * any(dialect.comments for dialect in found),
            delimiter=usual[0],
            quote=min(quotes, default=DEFAULTS.quote) or NO_QUOTE,
            encoding=encoding,
            trim=any(dialect.spaced for dialect in found),
            multiline=any(dialect.multiline for dialect in found),
            max_field_bytes=max(DEFAULTS.max_field_bytes, *(dialect.longest for dialect in found)),
        ),
        usual[1],
        reasons,
    )
