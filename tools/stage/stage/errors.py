"""One exception per exit code; the code says what the caller should do next."""

import errno
import os
import signal
from pathlib import Path

from .redaction import one_line

UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
KILLED = "free some memory or raise its limit (dmesg says whether that was it), then run again"
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}


class StageError(Exception):
    """A failure with an exit code: where it is, what is wrong, how to fix it."""

    code = 1

    def __init__(self, where: object, what: str, fix: str) -> None:
        self.where, self.what, self.fix = one_line(str(where), 600), one_line(what).removesuffix("."), one_line(fix)
        super().__init__(f"{self.where}: {self.what}; fix: {self.fix}")


# fmt: off
class UsageError(StageError): code = 2
class InputMissing(StageError): code = 10
class ChecksumMismatch(StageError): code = 11
class NetworkFailed(StageError): code = 12
class SourceRefused(StageError): code = 13
class PolicyViolation(StageError): code = 14
class BadRows(StageError): code = 20
class EmptyInput(StageError): code = 21
class SchemaMismatch(StageError): code = 22
class CorruptFile(StageError): code = 23
class DatabaseUnreachable(StageError): code = 30
class LockHeld(StageError): code = 31
class DatabaseRefused(StageError): code = 32
class ReleaseRefused(StageError): code = 40
class PushFailed(StageError): code = 41
class VerificationFailed(StageError): code = 42
class TagExists(StageError): code = 43
class Incomplete(StageError): code = 45
class DiskFull(StageError): code = 50
class OutOfMemory(StageError): code = 51
# fmt: on


class ChildFailed(StageError):
    """A child process failed; its exit code is passed on, 128 + the number of a signal."""

    def __init__(self, where: object, child: str, returncode: int) -> None:
        """``child`` names it in the message; ``returncode`` is that of subprocess, negative for a signal."""
        self.code = returncode if returncode > 0 else 128 - returncode
        what, fix = f"{child} failed with exit {self.code}", "see its error line above"
        if (number := self.code - 128) in set(signal.Signals):
            what = f"{child} was ended by {signal.Signals(number).name} (exit {self.code})"
            fix = KILLED if number == signal.SIGKILL else "run again"
        super().__init__(where, what, fix)


def translated(error: OSError | MemoryError) -> StageError | None:
    """Return the StageError for an operating system error, or None if it is a bug."""
    if isinstance(error, MemoryError):
        return OutOfMemory("memory", "out of memory", "raise the memory limit, or use a smaller batch")
    where = error.filename or "output"
    if error.errno in DISK:
        reason = "no space left" if error.errno != errno.EIO else "input/output error"
        fix = "free some disk space (df -h) or repair the disk, then run again"
        return DiskFull(where, f"cannot write: {reason}", fix)
    if error.errno in UNWRITABLE:
        return UsageError(where, "permission denied", f"run as the owner of {_owned(where)}, or change its mode")
    if error.errno == errno.ENOENT and error.filename:
        return InputMissing(where, "no such file or folder", "check the path, or run the stage that writes it")
    if error.errno == errno.ELOOP:
        return UsageError(where, "is a symbolic link that leads to itself", "replace it with a file")
    if error.errno in {errno.EISDIR, errno.ENOTDIR, errno.EEXIST}:
        return UsageError(where, (error.strerror or "wrong kind of file").lower(), "check the path")
    return None


def _owned(where: str | bytes | int) -> str:
    """Return what the user lacks permission for: the file, or the nearest folder if the file does not exist."""
    path = Path(os.fsdecode(where)) if isinstance(where, str | bytes) else Path()
    if os.path.lexists(path):
        return "this file"
    folder = next((folder for folder in path.parents if os.path.lexists(folder)), Path())
    return "this folder" if folder == Path() else str(folder)
