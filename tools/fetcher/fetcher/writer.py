"""Write a file while another thread hashes it, so that the network never waits for the checksum."""

import hashlib
import os
import queue
import threading
from types import TracebackType

from stage.output import begin_sync

BLOCK, BLOCKS = 1 << 20, 4  # bytes of one block; blocks between network and checksum
FLUSH = 8 << 20  # bytes after which writing to the disk begins, so that the final fsync finds little to do


class HashingWriter:
    """Append to a file: fill a ``free_block``, ``write`` it, and at the end ``finish``, which returns the SHA-256."""

    def __init__(self, descriptor: int, start: int, expected: int | None) -> None:
        """Continue at ``start``; the bytes before it are hashed first. ``expected`` is the final size, if known."""
        self.size, self._flushed = start, start
        self._descriptor, self._digest = descriptor, hashlib.sha256()
        # one byte more than expected, so that a longer body shows
        self._length = BLOCK if expected is None else min(BLOCK, expected - start + 1)
        self._free: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
        self._filled: queue.SimpleQueue[tuple[memoryview, int] | None] = queue.SimpleQueue()
        self._blocks, self._hasher = 0, threading.Thread(target=self._hash, name="sha256", daemon=True)
        os.lseek(descriptor, 0, os.SEEK_SET)
        while start > 0:
            block = os.read(descriptor, min(BLOCK, start))
            if not block:
                raise OSError(f"partial file is {start} bytes short")
            self._digest.update(block)
            start -= len(block)

    def __enter__(self) -> "HashingWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._hasher.is_alive():
            self._filled.put(None)
            self._hasher.join()

    def free_block(self) -> memoryview:
        """Return a block to fill."""
        if self._free.empty() and self._blocks < BLOCKS:
            self._blocks += 1
            return memoryview(bytearray(self._length))
        return self._free.get()

    def write(self, block: memoryview, size: int) -> None:
        """Write and hash the first ``size`` bytes of a block from ``free_block``."""
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
            begin_sync(self._descriptor, self._flushed, self.size - self._flushed)
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
