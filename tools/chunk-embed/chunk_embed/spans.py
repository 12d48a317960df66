"""Trim the parts of a line that stay, at both ends of what they say."""

Span = tuple[int, int]


def without_outer_breaks(line: str, spans: list[Span]) -> list[Span]:
    """Take the line breaks off the ends of what stays of a line."""
    visible = [index for index, (start, end) in enumerate(spans) if line[start:end].strip()]
    if not visible:
        return []
    inside = range(visible[0], visible[-1])
    return [span for index, span in enumerate(spans) if index in inside or span[0] < span[1]]


def stripped(line: str, spans: list[Span]) -> list[Span]:
    """Take the whitespace off the ends of what stays of a line."""
    while spans and not line[spans[0][0] : spans[0][1]].strip():
        spans = spans[1:]
    while spans and not line[spans[-1][0] : spans[-1][1]].strip():
        spans = spans[:-1]
    if spans:
        first, last = line[spans[0][0] : spans[0][1]], line[spans[-1][0] : spans[-1][1]]
        spans[0] = (spans[0][0] + len(first) - len(first.lstrip()), spans[0][1])
        spans[-1] = (spans[-1][0], spans[-1][1] - len(last) + len(last.rstrip()))
    return spans
