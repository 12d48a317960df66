"""Numbers as people read them."""

GAP = "\N{NARROW NO-BREAK SPACE}"  # between thousands, by ISO 80000-1


def figure(value: float) -> str:
    """Return a number with its thousands apart, and four digits that count."""
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}".replace(",", GAP)
    text = f"{value:.4g}"
    return f"{float(text):,.0f}".replace(",", GAP) if "e+" in text else text


def exact(value: float, digits: int = 12) -> str:
    """Return a number with its thousands apart, and all its digits, or so many that count."""
    return f"{value:,.{digits}g}".replace(",", GAP)


def share(part: float) -> str:
    """Return a part of one in per cent; neither nothing nor the whole is said of what is only near it."""
    percent = 100 * part
    if 0 < percent < 0.1:
        return "<0.1%"
    if 99.9 < percent < 100:
        return ">99.9%"
    return f"{percent:.1f}%" if 0 < percent < 9.95 or 99.5 <= percent < 100 else f"{percent:.0f}%"
