"""Write a file while another thread hashes it, so that the wire never waits for the checksum."""

import ctypes
import functools
import hashlib
import os
import queue
import threading
from types import TracebackType
from typing import Any

BLOCK, BLOCKS = 1 << 20, 4  # bytes of one block; blocks between wire and checksum
FLUSH = 8 << 20  # bytes after which writing to the disk begins, so that the final fsync finds little to do
SYNC_FILE_RANGE_WRITE = 2  # linux/fs.h


class Sink:
    """The end of a file that is being written: take ``room``, fill it, ``put`` it; ``finish`` tells the SHA-256."""

    def __init__(self, descriptor: int, start: int, expected: int | None) -> None:
        """Go on at ``start``, whose bytes are hashed first; ``expected`` is the size of the whole, if known."""
        self.size, self._flushed = start, start
        self._descriptor, self._digest = descriptor, hashlib.sha256()
        # one byte more than expected, so that a longer body shows
        self._length = BLOCK if expected is None else min(BLOCK, expected - start + 1)
        self._free: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
        self._filled: queue.SimpleQueue[tuple[memoryview, int] | None] = queue.SimpleQueue()
        self._made, self._hasher = 0, threading.Thread(target=self._hash, name="sha256", daemon=True)
        os.lseek(descriptor, 0, os.SEEK_SET)
        while start > 0:
            known = os.read(descriptor, min(BLOCK, start))
            if not known:
                raise OSError(f"what was kept is {start} bytes short")
            self._digest.update(known)
            start -= len(known)

    def __enter__(self) -> "Sink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._hasher.is_alive():
            self._filled.put(None)
            self._hasher.join()

    def room(self) -> memoryview:
        """Return a block to fill."""
        if self._free.empty() and self._made < BLOCKS:
            self._made += 1
            return memoryview(bytearray(self._length))
        return self._free.get()

    def put(self, block: memoryview, size: int) -> None:
        """Write and hash the first ``size`` bytes of a block that ``room`` gave."""
        if self._hasher.is_alive():
            self._filled.put((block, size))
        elif size == BLOCK:
            self._hasher.start()
            self._filled.put((block, size))
        else:  # a file of one block needs no thread
            self._digest.update(block[:size])
            self._free.put(block)
        written = 0
        while written < size:
            written += os.write(self._descriptor, block[written:size])
        self.size += size
        if self.size - self._flushed >= FLUSH:
            _begin_writeback(self._descriptor, self._flushed, self.size - self._flushed)
            self._flushed = self.size

    def finish(self) -> str:
        """Flush the file to disk and return its SHA-256."""
        os.fsync(self._descriptor)
        self.__exit__(None, None, None)
        return self._digest.hexdigest()

    def _hash(self) -> None:
        while filled := self._filled.get():
            block, size = filled
            self._digest.update(block[:size])
            self._free.put(block)


def _begin_writeback(descriptor: int, offset: int, size: int) -> None:
    """Have the kernel begin to write; where it cannot, the final fsync does it all."""
    if call := _sync_file_range():
        call(descriptor, ctypes.c_int64(offset), ctypes.c_int64(size), SYNC_FILE_RANGE_WRITE)


@functools.cache
def _sync_file_range() -> Any:
    return getattr(ctypes.CDLL(None), "sync_file_range", None)  # Linux only
