"""Propose text files as documents, each of which is a sample."""

from collections import Counter
from collections.abc import Sequence

from parquetizer.inspect.proposal import Proposal
from parquetizer.inspect.raw_items import Item


def inspect_documents(items: Sequence[Item], suffix: str = "") -> Proposal:
    """Propose the dataset that text files are; those of the usual suffix, if none is given."""
    suffixes = Counter(item.suffix for item in items if item.kind == "document")
    suffix = suffix or suffixes.most_common(1)[0][0]
    count = sum(item.suffix == suffix for item in items)
    reason = f"{count:,} of {len(items):,} files end with {suffix}; each is a sample"
    return Proposal("documents", count, (), {"suffix": suffix}, {"suffix": reason})
