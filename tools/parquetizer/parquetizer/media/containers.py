"""Check that the container of an audio file is complete: decoders fill up what is missing with silence, or leave it.

Each function returns what is wrong with the bytes of a file, or "".
"""

import struct
import zlib
from collections.abc import Callable
from typing import Final

RIFF: Final = {b"RIFF": "<", b"RIFX": ">"}  # byte order of the numbers
REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # bits of a byte
OGG_HEAD: Final = struct.Struct("<4sBBqIII")
FIRST, LAST = 2, 4  # flags of an Ogg page
SAME: Final = 0xFFFE0C00  # bits of a frame's header that all frames of an MP3 file share: sync, version, layer, rate
RATES: Final = (44100, 48000, 32000)
HALVED: Final = {3: 0, 2: 1, 0: 2}  # by version: MPEG 1, 2, 2.5
KBITS: Final = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
XING_WITHIN: Final = 64  # bytes of the first frame
TAGS: Final = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3")  # after the last frame


def wav_problem(data: bytes) -> str:
    """WAV: every chunk up to the samples is complete.

    Source: Multimedia Programming Interface and Data Specifications 1.0, IBM and Microsoft 1991, chapter 2.
    """
    order = RIFF[data[:4]]
    at, described = 12, False
    while at + 8 <= len(data):
        name, size = struct.unpack_from(f"{order}4sI", data, at)
        if at + 8 + size > len(data):
            return f"truncated: {len(data) - at - 8} of {size} bytes in its chunk {name.decode('ascii', 'replace')!r}"
        if name == b"data":
            return "" if described else "no chunk 'fmt '"
        described = described or name == b"fmt "
        at += 8 + size + size % 2
    return "truncated: no chunk 'data'"


def ogg_problem(data: bytes) -> str:
    """Ogg: pages of one stream follow each other from the first to the one that says it is the last.

    Source: RFC 3533, section 6.
    """
    at, serial, number, flags = 0, 0, 0, 0
    while at < len(data):
        if at + OGG_HEAD.size > len(data):
            return f"truncated in page {number}"
        mark, _, flags, _, stream, sequence, checksum = OGG_HEAD.unpack_from(data, at)
        table = at + OGG_HEAD.size + 1
        end = table + data[table - 1] + sum(data[table : table + data[table - 1]]) if table <= len(data) else table
        if mark != b"OggS" or (number and stream != serial):
            return f"data after its last page: {number}" if mark != b"OggS" else "contains several streams"
        if end > len(data):
            return f"truncated in page {number}"
        if sequence != number or bool(flags & FIRST) != (number == 0):
            return f"page {number} is missing"
        page = data[at : at + 22] + bytes(4) + data[at + 26 : end]
        if _ogg_checksum(page) != checksum:
            return f"wrong checksum of page {number}"
        at, serial, number = end, stream, number + 1
    return "" if flags & LAST else "truncated: its last page is missing"


def _ogg_checksum(page: bytes) -> int:
    """Return the CRC of an Ogg page: that of zlib with the bits of each byte reversed, and nothing inverted."""
    crc = zlib.crc32(page.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)


def mp3_problem(data: bytes) -> str:
    """MP3: frames follow each other up to the end or a tag, at least as many as the encoder counted.

    Source: ISO/IEC 11172-3, section 2.4.1.3; http://gabriel.mp3-tech.org/mp3infotag.html for the count.
    """
    at = first = id3_size(data)
    kind = int.from_bytes(data[at : at + 4], "big") & SAME
    frames = 0
    while at + 4 <= len(data) and (header := int.from_bytes(data[at : at + 4], "big")) & SAME == kind:
        size = _mp3_frame_size(header)
        if not size:
            return f"unsupported frame at byte {at}"
        if at + size > len(data):
            return f"truncated in frame {frames}"
        at, frames = at + size, frames + 1
    if (rest := data[at:].lstrip(b"\0")) and not rest.startswith(TAGS):
        return f"no frame at byte {at}"
    counted = _xing_frames(data[first : first + XING_WITHIN])
    return f"truncated: {frames - 1} of {counted} frames" if frames - 1 < counted - 1 else ""


def id3_size(data: bytes) -> int:
    """Return the size of the ID3v2 tag at the start of a file. Source: https://id3.org/id3v2.4.0-structure."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    size = sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    return 10 + size + (10 if data[5] & 0x10 else 0)  # with a footer


def is_mp3(data: bytes, at: int) -> bool:
    """Say whether the bytes at a position are the header of a frame of MPEG layer III."""
    header = int.from_bytes(data[at : at + 4], "big")
    return header >> 21 == 0x7FF and header >> 17 & 3 == 1 and _mp3_frame_size(header) > 0


def _mp3_frame_size(header: int) -> int:
    """Return the bytes of a frame, or 0 for a header that is not one of a bit rate."""
    version, kbits, rate = header >> 19 & 3, header >> 12 & 15, header >> 10 & 3
    if version not in HALVED or kbits in {0, 15} or rate == 3:
        return 0
    samples_per_byte = 144 if version == 3 else 72
    return samples_per_byte * KBITS[3 if version == 3 else 2][kbits] * 1000 // (RATES[rate] >> HALVED[version]) + (
        header >> 9 & 1
    )


def _xing_frames(frame: bytes) -> int:
    """Return the number of frames that the encoder wrote into the first one, or 0."""
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    if at < 0 or at + 12 > len(frame) or not frame[at + 7] & 1:
        return 0
    return int.from_bytes(frame[at + 8 : at + 12], "big")


PROBLEMS: Final[dict[str, Callable[[bytes], str]]] = {"WAV": wav_problem, "OGG": ogg_problem, "MP3": mp3_problem}
