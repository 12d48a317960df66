"""Text from elsewhere as one line that is safe to show: no control characters, no secrets of URLs, bounded."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

LIMIT = 2000  # characters
HIDDEN = "***"
# Control characters but for tab and the ends of lines, and those that turn the direction of what follows.
_CODES = [*range(9), 11, 12, *range(14, 32), *range(127, 160)]
_CODES += [0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
UNSEEN = dict.fromkeys(_CODES, "\N{REPLACEMENT CHARACTER}")
SECRETS = (
    # The user part of a web address is a token as often as a name; with ssh:// and the like the name stays.
    # A password may have an @, and that of a database a /, though neither should.
    (re.compile(r"(?<=http://)[^/\s\"]+(?=@)|(?<=https://)[^/\s\"]+(?=@)"), HIDDEN),
    (re.compile(r"((?:sql|db|mongo|redis|amqp)[\w+]*://[^/\s:@\"]*):[^\s\"]*(?=@)"), rf"\1:{HIDDEN}"),
    (re.compile(r"(?<=://)([^/\s:@\"]*):[^/\s\"]*(?=@)"), rf"\1:{HIDDEN}"),
    (re.compile(r"(?<![\w/:])([^\s/:@'\"=(]+):[^\s/\"]+@(?!sha256:)(?=[\w\[])"), rf"\1:{HIDDEN}@"),  # u:pw@host:x.git
    (
        re.compile(
            r"(?i)([?&;](?:x-amz-[\w-]+|awsaccesskeyid|[\w-]*(?:token|key|secret|signature|password|passwd|pwd|sig))=)"
            r"[^&;\s'\"#]+"
        ),
        rf"\1{HIDDEN}",
    ),
)


def redacted(text: str) -> str:
    """Return a text without the passwords and tokens of the URLs in it."""
    if "@" in text or "=" in text:
        for pattern, replacement in SECRETS:
            text = pattern.sub(replacement, text)
    return text


def safe_url(url: str) -> str:
    """Return a URL, or a git address as ``user@host:path``, without password, and its query as ``?…``."""
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
    """Return a text of several lines in which U+FFFD marks control characters, and those that turn the direction."""
    return text.translate(UNSEEN)


def listed(names: Sequence[object], limit: int = 20) -> str:
    """Return names as a list for a message, the first of them where they are many."""
    shown = [f"{name!s:.80}" for name in names[:limit]]
    more = [f"and {len(names) - limit} more"] if len(names) > limit else []
    return ", ".join([*shown, *more])


def one_line(text: str, limit: int = LIMIT) -> str:
    """Return a text on one line of at most ``limit`` characters, redacted; control characters become escapes."""
    if len(text) > 4 * limit:  # nobody reads it; and the patterns need not go over gigabytes
        text = f"{text[: 2 * limit]} … {text[-limit:]}"
    text = redacted(" ".join(text.splitlines()))
    if not text.isprintable():
        text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    return text if len(text) <= limit else f"{text[: limit - limit // 4 - 3]} … {text[-limit // 4 :]}"
