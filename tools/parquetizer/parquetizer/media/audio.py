"""Check that a file is a sound that decodes completely."""

import dataclasses
import io
from typing import Final

import numpy as np
import soundfile
from stage.errors import CorruptFile

from parquetizer.media.containers import PROBLEMS, RIFF, id3_size, is_mp3

SUFFIXES: Final = {".wav": "WAV", ".flac": "FLAC", ".mp3": "MP3", ".ogg": "OGG", ".oga": "OGG", ".opus": "OGG"}
NAMES: Final = {"WAV": "WAV", "FLAC": "FLAC", "MP3": "MP3", "OGG": "Ogg"}
MAX_VALUES: Final = 1 << 30  # of all channels, over which a small file could make a decoder spend hours
BLOCK: Final = 1 << 16  # values decoded at a time


@dataclasses.dataclass(frozen=True)
class AudioFacts:
    """Format, codec, sampling rate in hertz, channels, and samples per channel."""

    format: str
    codec: str
    rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.frames / self.rate


def check_audio(data: bytes, where: object, max_seconds: float) -> AudioFacts:
    """Return the facts of a sound that decodes completely.

    Raises CorruptFile for one that is truncated or of another format than WAV, FLAC, MP3 and Ogg; and, before
    decoding, for one longer than ``max_seconds`` or 2³⁰ values.
    """
    container = _container(data)
    if not container:
        raise CorruptFile(where, "not a WAV, FLAC, MP3 or Ogg file", "fetch it again, or convert it")
    if (check := PROBLEMS.get(container)) and (problem := check(data)):
        raise CorruptFile(where, f"damaged {NAMES[container]} file: {problem}", "fetch it again")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            facts = AudioFacts(container, sound.subtype, sound.samplerate, sound.channels, sound.frames)
            _check_length(facts, where, max_seconds)
            decoded = _decoded_frames(sound, facts)
    except (soundfile.SoundFileError, ValueError, TypeError) as error:
        what = f"damaged {NAMES[container]} file: {str(error).removeprefix('Error : ')}"
        raise CorruptFile(where, what, "fetch it again") from error
    if decoded != facts.frames:
        what = f"damaged {NAMES[container]} file: {decoded} of {facts.frames} samples decoded"
        raise CorruptFile(where, what, "fetch it again")
    return facts


def _container(data: bytes) -> str:
    """Return the container by the first bytes, or "" for another."""
    if data[:4] in RIFF and data[8:12] == b"WAVE":
        return "WAV"
    if data[:4] == b"OggS":
        return "OGG"
    start = id3_size(data)
    if data[start : start + 4] == b"fLaC":
        return "FLAC"
    return "MP3" if is_mp3(data, start) else ""


def _check_length(facts: AudioFacts, where: object, max_seconds: float) -> None:
    if facts.frames <= 0:
        raise CorruptFile(where, "no samples", "fetch it again")
    if facts.frames * facts.channels > MAX_VALUES:
        what = f"{facts.frames} samples of {facts.channels} channels, more than {MAX_VALUES} values"
        raise CorruptFile(where, what, "cut it into shorter files")
    if facts.seconds > max_seconds:
        what = f"{facts.seconds:.0f} seconds, more than {max_seconds:g}"
        raise CorruptFile(where, what, "cut it into shorter files, or raise max-seconds")


def _decoded_frames(sound: soundfile.SoundFile, facts: AudioFacts) -> int:
    """Decode all of a sound, and return the number of its samples per channel, at most one block more than declared."""
    block = np.empty((max(1, BLOCK // facts.channels), facts.channels), np.float32)
    decoded = 0
    while decoded <= facts.frames and (count := sound.buffer_read_into(block, "float32")):
        decoded += count
    return decoded
