"""Numbers as people read them."""

GAP = "\N{NARROW NO-BREAK SPACE}"  # between thousands, by ISO 80000-1


def figure(value: float) -> str:
    """Return a number with its thousands apart, and four digits that count."""
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}".replace(",", GAP)
    text = f"{value:.4g}"
    return f"{float(text):,.0f}".replace(",", GAP) if "e+" in text else text


def share(part: float) -> str:
    """Return a part of one in per cent."""
    percent = 100 * part
    if percent and percent < 0.1:
        return "<0.1%"
    return f"{percent:.0f}%" if percent >= 9.95 or not percent else f"{percent:.1f}%"
