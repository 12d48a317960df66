"""Make batches for a model: as many texts as make about as many tokens, and texts of like length together."""

from collections.abc import Sequence


def token_batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Return the places of the texts, longest first, in batches of at most ``batch_tokens`` tokens, padding included.

    Little is padded because the whole corpus is sorted, and every batch takes about the same time. The longest come
    first: memory runs out at the start or not at all.
    """
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > batch_tokens:
            batches.append([])
        batches[-1].append(place)
    return batches
