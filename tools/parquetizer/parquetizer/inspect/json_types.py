"""Infer the type of JSON values from all of them, nested ones too."""

from typing import Any, Final

import pyarrow as pa

INT64: Final = 1 << 63
MAX_FIELDS: Final = 1000  # of a struct; objects with more names are maps, which no type holds
LONG: Final = 1 << 16  # characters
EXACT: Final = 1 << 53  # integers below are exact as float64


class NoType(ValueError):
    """Values that no type holds together, with the place and the reason."""


class JsonValues:
    """What is known of the values at one place of a document."""

    __slots__ = ("count", "fields", "high", "is_bool", "is_float", "is_int", "is_string", "items", "longest", "low")

    def __init__(self) -> None:
        self.count = 0  # values that are not null
        self.is_bool = self.is_int = self.is_float = self.is_string = False
        self.low = self.high = 0  # of integers
        self.longest = 0  # bytes of a string, if it is a long one
        self.items: JsonValues | None = None  # of lists
        self.fields: dict[str, JsonValues] | None = None  # of objects

    def add(self, value: Any) -> None:
        """Add a value as Python's json module returns it."""
        if value is None:
            return
        self.count += 1
        kind = type(value)
        if kind is str:
            self.is_string = True
            if len(value) > LONG:
                self.longest = max(self.longest, len(value.encode(errors="replace")))
        elif kind is int:
            if not self.is_int or value < self.low:
                self.low = value
            if not self.is_int or value > self.high:
                self.high = value
            self.is_int = True
        elif kind is float:
            self.is_float = True
        elif kind is bool:
            self.is_bool = True
        elif kind is list:
            if self.items is None:
                self.items = JsonValues()
            for item in value:
                self.items.add(item)
        else:
            if self.fields is None:
                self.fields = {}
            for name, item in value.items():
                if name not in self.fields:
                    if len(self.fields) >= MAX_FIELDS:
                        raise NoType(f"objects with more than {MAX_FIELDS:,} names")
                    self.fields[name] = JsonValues()
                self.fields[name].add(item)

    def type(self) -> pa.DataType:
        """Return the type of a column with these values. Raises NoType."""
        kinds = {
            "booleans": self.is_bool,
            "numbers": self.is_int or self.is_float,
            "strings": self.is_string,
            "lists": self.items is not None,
            "objects": self.fields is not None,
        }
        present = [name for name, is_present in kinds.items() if is_present]
        if len(present) > 1:
            raise NoType(" and ".join(present))
        if self.is_bool:
            return pa.bool_()
        if self.items is not None:
            return pa.list_(self.items.type())
        if self.fields is not None:
            if not self.fields:
                raise NoType("objects without names")
            return pa.struct([(name, values.type()) for name, values in self.fields.items()])
        return self._number() if self.is_int or self.is_float else pa.string()

    def _number(self) -> pa.DataType:
        if self.is_float:
            if max(abs(self.low), abs(self.high)) > EXACT:
                raise NoType("fractions and integers beyond 2^53")
            return pa.float64()
        if self.low >= -INT64 and self.high < INT64:
            return pa.int64()
        if self.low < 0 or self.high >= 2 * INT64:
            raise NoType("integers beyond 64 bits")
        return pa.uint64()

    def longest_string(self) -> int:
        """Return the bytes of the longest string, in nested values too."""
        nested = [*(self.fields or {}).values(), *([self.items] if self.items else [])]
        return max(self.longest, *(values.longest_string() for values in nested), 0)
