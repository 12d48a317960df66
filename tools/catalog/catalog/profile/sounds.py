"""A few sounds of a dataset to listen to, as they are: those that browsers play, within limits of their size."""

import dataclasses

from registry.terminal import amount

from catalog.facts import training_split
from catalog.profile.examples import example_rows, read_rows
from catalog.profile.rows import Rows, file_of
from catalog.profile.value_texts import truncated

MAX_SOUNDS = 24
MAX_BYTES, MAX_TOTAL = 1 << 20, 1 << 23  # of a sound, and of all of a dataset
WAVE_CODECS = {1, 3, 6, 7}  # PCM, float, A-law and µ-law: https://www.rfc-editor.org/rfc/rfc2361
EXTENSIBLE = 0xFFFE  # the codec is in the first bytes of the GUID at the end of the chunk


@dataclasses.dataclass(frozen=True)
class Sound:
    """A sound file with its caption; without ``data``, ``reason`` says why it is not in the site."""

    data: bytes
    suffix: str
    caption: str
    reason: str = ""


def sounds_of(rows: Rows) -> tuple[Sound, ...]:
    """Return sounds of the split ``train``, or the first, by class; nulls are left out. Raises CorruptFile."""
    columns = rows.columns_of("audio")
    if not columns or not rows.splits:
        return ()
    split = training_split(rows.splits)
    classes = example_rows(rows, split, MAX_SOUNDS)
    sounds: dict[int, Sound] = {}
    room = MAX_TOTAL
    for row, value in read_rows(rows, split, columns[0], sorted(classes)):
        data, name = file_of(value)
        if data:
            caption = ", ".join(filter(None, (classes[row], truncated(name or f"sound {row + 1}"))))
            sounds[row] = _sound(data, caption, min(MAX_BYTES, room))
            room -= len(sounds[row].data)
    return tuple(sounds[row] for row in classes if row in sounds)


def _sound(data: bytes, caption: str, room: int) -> Sound:
    suffix = _suffix(data)
    if suffix and len(data) <= room:
        return Sound(data, suffix, caption)
    reason = f"{amount(len(data))}, too large for this page" if suffix else "of a format that browsers do not play"
    return Sound(b"", "", caption, reason)


def _suffix(data: bytes) -> str:
    """Return the suffix of a sound that browsers play, by its first bytes; empty for others."""
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        chunk = data.find(b"fmt ", 12, 1 << 12) + 8
        codec = int.from_bytes(data[chunk : chunk + 2], "little")
        if codec == EXTENSIBLE:
            codec = int.from_bytes(data[chunk + 24 : chunk + 26], "little")
        return ".wav" if codec in WAVE_CODECS else ""
    if data.startswith(b"fLaC"):
        return ".flac"
    if data.startswith(b"OggS"):
        return ".ogg"
    return ".mp3" if data.startswith(b"ID3") or (data[0] == 0xFF and data[1:2] >= b"\xe0") else ""
