"""Where a sample is, as people read it."""

from registry.lineage.whohas import NOT_LOGGED, NOT_SELECTED, SELECTED, Found
from registry.terminal import printable, row, rows

MEANING = {
    SELECTED: "was given it",
    NOT_SELECTED: "its release has it, and its logged selection does not",
    NOT_LOGGED: "its release has it, and no selection is logged: it may have been given it",
}


def as_text(sample: str, found: Found) -> str:
    """Return the list for a terminal."""
    shown = printable(sample)
    lines = [shown if len(shown) <= 76 else f"{shown[:75]}…"]
    places = [f"{each.tag}  {each.file} row {each.row}  {each.sample_id} (by {each.equal})" for each in found.releases]
    partial = found.unread or found.incomplete or found.unsearched
    none = "none of those that could be read has it" if partial else "none has it, as it is written here"
    lines += rows("releases", places or [none])
    for each in found.models:
        contexts = f" for {', '.join(each.contexts)}" if each.contexts else ""
        lines += row("model", f"{each.model}/{each.version}: {MEANING[each.status]}{contexts} ({each.tag})")
    if found.releases and not found.models:
        lines += row("models", "none names a release that has it")
    if found.silent:
        lines += row("unknown", f"nothing says what these were trained on: {', '.join(found.silent)}")
    if found.unsearched:
        lines += row("not seen", f"these have no manifest: {', '.join(found.unsearched)}")
    lines += rows("unread", found.unread)
    lines += rows("incomplete", found.incomplete)
    return "\n".join(lines)
