"""Make text from outside safe to show: without control characters and secrets in URLs, and of limited length."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

LIMIT = 2000  # characters
HIDDEN = "***"
# Control characters except tab and line ends, and those that change the text direction.
_CODES = [*range(9), 11, 12, *range(14, 32), *range(127, 160)]
_CODES += [0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
REPLACED = dict.fromkeys(_CODES, "\N{REPLACEMENT CHARACTER}")
QUERY_KEYS = r"x-amz-[\w-]+|awsaccesskeyid|[\w-]*(?:token|key|secret|signature|password|passwd|pwd|sig)"
SECRETS = (
    # The user part of a web address is often a token; that of ssh:// and the like is a name and stays.
    # A password may contain an @, and that of a database a /, although neither should.
    (re.compile(r"(?<=http://)[^/\s\"]+(?=@)|(?<=https://)[^/\s\"]+(?=@)"), HIDDEN),
    (re.compile(r"((?:sql|db|mongo|redis|amqp)[\w+]*://[^/\s:@\"]*):[^\s\"]*(?=@)"), rf"\1:{HIDDEN}"),
    (re.compile(r"(?<=://)([^/\s:@\"]*):[^/\s\"]*(?=@)"), rf"\1:{HIDDEN}"),
    (re.compile(r"(?<![\w/:])([^\s/:@'\"=(]+):[^\s/\"]+@(?!sha256:)(?=[\w\[])"), rf"\1:{HIDDEN}@"),  # u:pw@host:x.git
    (re.compile(rf"(?i)([?&;](?:{QUERY_KEYS})=)[^&;\s'\"#]+"), rf"\1{HIDDEN}"),
)


def redacted(text: str) -> str:
    """Return a text without the passwords and tokens in its URLs."""
    if "@" in text or "=" in text:
        for pattern, replacement in SECRETS:
            text = pattern.sub(replacement, text)
    return text


def safe_url(url: str) -> str:
    """Return a URL, or a git address like ``user@host:path``, without its password, and with ``?…`` for its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the URL"
    if not parts.netloc:
        return re.sub(r"^([^\s/:@]+):[^/]*@", r"\1@", url)
    netloc = parts.netloc.rpartition("@")[2]
    if "@" in parts.path and ":" in parts.netloc:  # the netloc is the start of a password with a /
        return f"{parts.scheme}://{HIDDEN}@{parts.path.rpartition('@')[2]}"
    return urlunsplit((parts.scheme, netloc, parts.path, "", "")) + "?…" * bool(parts.query)


def printable(text: str) -> str:
    """Return a text of several lines with U+FFFD for control characters, and those that change the direction."""
    return text.translate(REPLACED)


def listed(names: Sequence[object], limit: int = 20) -> str:
    """Return names joined by commas for a message, at most ``limit`` of them."""
    first = [f"{name!s:.80}" for name in names[:limit]]
    return ", ".join(first if len(names) <= limit else [*first, f"and {len(names) - limit} more"])


def one_line(text: str, limit: int = LIMIT) -> str:
    """Return a text as one redacted line of at most ``limit`` characters, with escapes for control characters."""
    if len(text) > 4 * limit:  # spare the patterns gigabytes that nobody reads
        text = f"{text[: 2 * limit]} … {text[-limit:]}"
    text = redacted(" ".join(text.splitlines()))
    if not text.isprintable():
        text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return text if len(text) <= limit else f"{text[: limit - limit // 4 - 3]} … {text[-limit // 4 :]}"
