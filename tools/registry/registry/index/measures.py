"""How good a ranking is: hit@k, reciprocal rank and nDCG, of relevant and irrelevant places.

Definitions as in Manning, Raghavan, Schütze, Introduction to Information Retrieval (2008), chapter 8; nDCG with binary
gains and log2 discounts (Järvelin, Kekäläinen 2002).
"""

import math
from collections.abc import Iterable, Mapping, Sequence

DEPTH = 10  # places that count
HITS = (1, 3, 5)


def measured(rankings: Iterable[tuple[Sequence[bool], int]]) -> dict[str, float]:
    """Return the mean measures of some rankings: which places are relevant, and how many relevant ones there are."""
    found = [_of_one(places[:DEPTH], relevant) for places, relevant in rankings]
    return {name: round(sum(each[name] for each in found) / len(found), 4) for name in found[0]} if found else {}


def _of_one(places: Sequence[bool], relevant: int) -> Mapping[str, float]:
    first = next((rank for rank, is_relevant in enumerate(places, 1) if is_relevant), math.inf)
    gained = sum(_gain(rank) for rank, is_relevant in enumerate(places, 1) if is_relevant)
    ideal = sum(_gain(rank) for rank in range(1, min(relevant, DEPTH) + 1))
    return {
        **{f"hit@{k}": float(first <= k) for k in HITS},
        "mrr": 1 / first,
        f"ndcg@{DEPTH}": gained / ideal if ideal else 0.0,
    }


def _gain(rank: int) -> float:
    return 1 / math.log2(rank + 1)


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names in their order, each where it comes first."""
    return list(dict.fromkeys(names))
