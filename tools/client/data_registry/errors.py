"""What the client raises. ``str(error)`` is one line: where, what, and how to fix it, which are attributes too.

``error.code`` is the exit code that the command line ends with: 12 is worth another try, the others are not.
"""

from data_registry.stage.errors import (
    ChecksumMismatch,
    CorruptFile,
    DiskFull,
    LockHeld,
    NetworkFailed,
    PolicyViolation,
    SourceRefused,
    UsageError,
    VerificationFailed,
)
from data_registry.stage.errors import StageError as RegistryError

__all__ = [
    "ChecksumMismatch",  # an object has other bytes than its name says
    "CorruptFile",  # a file of a release cannot be read
    "DiskFull",
    "LockHeld",  # another process writes to the same folder
    "NetworkFailed",  # the repository or the remote cannot be reached
    "PolicyViolation",  # credentials would go to an unknown server, or a file outside its folder
    "RegistryError",  # all of them
    "SourceRefused",  # the remote refuses the credentials
    "UsageError",  # an argument or a setting is wrong
    "VerificationFailed",  # the release is not what its tag says
]
