"""Format numbers for people."""

EXACT = 2**53  # above it floats do not have all digits
GAP = "\N{NARROW NO-BREAK SPACE}"  # between thousands, as ISO 80000-1 has it


def figure(value: float) -> str:
    """Return a number with separated thousands and four significant digits."""
    is_exact = abs(value) < EXACT
    if isinstance(value, int) or (is_exact and value.is_integer()):
        return f"{int(value):,}".replace(",", GAP)
    text = f"{value:.4g}"
    return f"{float(text):,.0f}".replace(",", GAP) if "e+" in text and is_exact else text


def exact(value: float, digits: int = 12) -> str:
    """Return a number with separated thousands and up to so many significant digits."""
    return f"{value:,.{digits}g}".replace(",", GAP)


def duration(sign: str, seconds: int, fraction: str = "") -> str:
    """Return a duration in days, hours, minutes, seconds and the digits of their fraction."""
    days, rest = divmod(seconds, 86_400)
    begin = f"{sign}{days} day{'s' if days != 1 else ''} " if days else sign
    end = fraction.rstrip("0")
    return f"{begin}{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}{'.' * bool(end)}{end}"


def share(part: float) -> str:
    """Return a fraction in per cent; 0% and 100% only if it is exactly that."""
    percent = 100 * part
    if 0 < percent < 0.1:
        return "<0.1%"
    if 99.9 < percent < 100:
        return ">99.9%"
    return f"{percent:.1f}%" if 0 < percent < 9.95 or 99.5 <= percent < 100 else f"{percent:.0f}%"
