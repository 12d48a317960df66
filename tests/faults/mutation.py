"""Damage documents as hostile or broken writers do: other types, cut and flipped bytes, depth, size, aliases."""

import copy
import hashlib
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

LARGE = 20_000  # values of a document that does not grow by factors any more
LONG = 2_000_000  # characters that one change adds at most, so that the writer keeps within the reader's memory
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1 << 62,
        1 << 64,
        10**300,
        0.5,
        -0.0,
        1e308,
        "",
        " ",
        "x",
        "\0",
        "\ud800",
        "../..",
        "/",
    ),
    *("\u202e", "\x1b[31m", "x" * 5000, [], {}, [[]], [{}], {"": ""}, {"path": 1}, ["x"], [None], {"md5": []}, "*a"),
    *("~", "list<", "list<item: string>", "fixed_size_list<item: int8>[99999999999]", "struct<a: " * 20, "2020-99-99"),
    *("=", "<<"),
)
TOKENS = (
    *(b"\0", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"[" * 3000, b"{" * 3000, b'{"a":' * 3000, b"- " * 3000),
    *(b"&a [*a]", b"&a {<<: *a}", b"*b", b"!!binary x", b"!!python/object:os.system x", b"!!timestamp x", b"!!set {a}"),
    *(b"!!omap [a: 1]", b"1e999", b"NaN", b"-", b"9" * 5000, b"0x" + b"f" * 9000, b"1" + b":1" * 3000, b"\r", b"\t"),
    *(b"#", b"---\n", b"...\n", b"%YAML 9\n", b"? ", b": ", b", ", b"'", b'"', b"|", b">", b"@", b"`", b"]", b"}"),
    *(b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"a: &a [x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b]\n"),
)


def damaged(document: Any, text: bytes, seed: int, write: Callable[[Any], str] = json.dumps) -> bytes:
    """Return a document with one to three nodes changed, written as JSON; or its ``text`` with bytes changed."""
    chance = random.Random(seed)
    if chance.random() < 0.6:
        changed = json.loads(json.dumps(document))
        for _ in range(chance.randint(1, 3)):
            changed = _with_other_node(changed, chance)
        escaped = chance.random() < 0.7
        written = json.dumps(changed, ensure_ascii=escaped) if write is json.dumps else write(changed)
        text = written.encode(errors="surrogatepass")
        if chance.random() < 0.8:
            return text
    return _with_other_bytes(text, chance)


def _with_other_node(document: Any, chance: random.Random) -> Any:
    places = list(_places(document))
    if not places:
        return copy.deepcopy(chance.choice(VALUES))
    parent, key = chance.choice(places)
    kind = chance.random()
    if kind < 0.15:
        del parent[key]
    elif kind < 0.25:
        _, other = chance.choice(places), chance.choice(places)
        parent[key] = json.loads(json.dumps(other[0]))
    elif kind < 0.35:
        value = parent[key]
        for _ in range(chance.choice((1, 20, 70))):
            value = [value] if chance.random() < 0.5 else {"a": value}
        parent[key] = value
    elif kind < 0.45 and isinstance(parent, dict):
        parent[str(chance.choice(VALUES))[:200]] = parent.pop(key)
    elif kind < 0.5 and isinstance(parent, list):
        times = chance.choice((1, 200)) if len(places) < LARGE else 1
        value = json.dumps(parent[key])
        parent.extend(json.loads(value) for _ in range(min(times, 1 + LONG // len(value))))
    else:
        parent[key] = copy.deepcopy(chance.choice(VALUES))
    return document


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from _places(item)


def _with_other_bytes(text: bytes, chance: random.Random) -> bytes:
    changed = bytearray(text)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(changed))
        kind = chance.random()
        if kind < 0.3:
            changed[at:at] = chance.choice(TOKENS)
        elif kind < 0.5 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        elif kind < 0.65:
            del changed[at:]
        elif kind < 0.8:
            del changed[at : at + chance.randint(1, 40)]
        elif kind < 0.9:
            changed[at:at] = changed[at : at + chance.randint(1, 60)]
        else:
            changed[at : at + 4] = bytes(chance.randrange(256) for _ in range(4))
    return bytes(changed)


def damaged_bytes(content: bytes, seed: int) -> bytes:
    """Return bytes of which a few are others, most often in the last part, where Parquet has its footer."""
    number = int.from_bytes(hashlib.sha256(str(seed).encode()).digest(), "big")
    changed = bytearray(content)
    for _ in range(1 + number % 3):
        number >>= 8
        span = len(changed) if number & 3 == 0 else min(1500, len(changed))
        at = len(changed) - 1 - (number >> 2) % span
        changed[at] = (number >> 40) & 255
        number = int.from_bytes(hashlib.sha256(str(number).encode()).digest(), "big")
    return bytes(changed[: len(changed) - number % 40]) if number & 7 == 0 else bytes(changed)
