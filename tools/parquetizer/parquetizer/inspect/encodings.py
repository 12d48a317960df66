"""Detect the encoding of a text file by all of its bytes."""

import codecs
from typing import Final

import numpy as np

from parquetizer.raw.file_kinds import wide_encoding

HEAD: Final = 1 << 12  # bytes
UNDEFINED: Final = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))  # in Windows-1252
ABOVE_ASCII: Final = 0x80


class EncodingFacts:
    """The encodings that the bytes of a file allow.

    A byte-order mark decides; then what every byte allows: UTF-8, else Windows-1252, which differs from the other
    encodings of one byte per character in the characters above 127 only.
    """

    def __init__(self, head: bytes) -> None:
        """``head`` are the first bytes."""
        self.marked = _by_head(head)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_utf8, self._undefined, self._high = True, False, 0

    def add(self, block: bytes) -> None:
        """Look at a block."""
        if self.marked or (block.isascii() and not self._decoder.getstate()[0]):
            return
        self._high += int(np.count_nonzero(np.frombuffer(block, np.uint8) >= ABOVE_ASCII))
        self._undefined = self._undefined or any(byte in block for byte in UNDEFINED)
        if self._is_utf8:
            try:
                self._decoder.decode(block)
            except UnicodeDecodeError:
                self._is_utf8 = False
                self._decoder.reset()

    def result(self) -> tuple[str, str]:
        """Return the encoding and why, after the last block; there is no reason for the usual UTF-8."""
        if self.marked:
            return self.marked
        if self._is_utf8 and not self._decoder.getstate()[0]:
            return "utf-8", ""
        if self._undefined:
            return "latin-1", f"invalid as UTF-8 and Windows-1252; check the {self._high:,} characters above 127"
        return "cp1252", f"Windows-1252, as it is invalid UTF-8; check the {self._high:,} characters above 127"


def _by_head(head: bytes) -> tuple[str, str] | None:
    name = "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else wide_encoding(head)
    why = "every other byte is zero" if name.startswith("utf-16-") else "byte-order mark"
    return (name, why) if name else None
