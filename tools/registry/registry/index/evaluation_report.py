"""What an evaluation found, as a table for a terminal."""

from registry.index.evaluate import Evaluation

TITLES = {"by_source": "the right document", "by_concepts": "half of the key concepts"}


def as_table(found: Evaluation) -> str:
    """Return the figures for a terminal of 80 columns."""
    lines = [f"{found.questions} questions to {found.index}"]
    for kind, title in TITLES.items():
        names = list(next(iter(found.figures.values()))[kind])
        lines += ["", f"{title:<26}{''.join(f'{name:>9}' for name in names)}"]
        for mode, kinds in found.figures.items():
            lines.append(f"  {mode:<24}{''.join(f'{kinds[kind][name]:>9.3f}' for name in names)}")
    return "\n".join(lines)
