"""Where a model comes from, as people and programs read it."""

from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
from data_registry.stage.output import replacing
from data_registry.training.log_dataset import VERSION
from data_registry.training.selection import ALL

from registry.lineage.explain import NOT_LOGGED, Explanation
from registry.terminal import INDENT, row, rows

LONGEST = 20  # of the names of contexts that a column is made for


def write_ids(explanation: Explanation, path: Path) -> None:
    """Write the samples as CSV: ``sample_id`` in hex, ``context``, ``release``, ``split``, ``file``, ``row``."""
    with replacing(path) as (temporary,), temporary.open("wb") as file:
        for number, part in enumerate(explanation.parts):
            ids = pa.array([each.hex() for each in part.samples["sample_id"].to_pylist()], pa.string())
            same = {"context": part.context, "release": part.tag}
            columns = {name: pa.repeat(text, len(ids)) for name, text in same.items()}
            rest = {name: part.samples[name] for name in ("split", "file", "row")}
            options = pa_csv.WriteOptions(include_header=not number, quoting_style="needed")
            pa_csv.write_csv(pa.table({"sample_id": ids, **columns, **rest}), file, options)


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Return all of it, every sample named."""
    parts = [
        {**vars(part), "samples": [each.hex() for each in part.samples["sample_id"].to_pylist()]}
        for part in explanation.parts
    ]
    return {**vars(explanation), "parts": parts}


def as_text(explanation: Explanation, written: Path | None = None) -> str:
    """Return a summary for a terminal; ``written`` is the file that ``write_ids`` has made."""
    indent = max(INDENT, *(min(len(part.context), LONGEST) + 3 for part in explanation.parts))
    labelled, listed = partial(row, indent=indent), partial(rows, indent=indent)
    sources = [f"{each['name']}, sha256 {each['sha256'][:16]}…" for each in explanation.provenance.get("sources", [])]
    lines = [
        f"{explanation.model}/{explanation.version}",
        *labelled("run", explanation.run_id),
        *labelled("release", f"{explanation.release} (its run's {explanation.said_in} {VERSION})"),
        *labelled("image", explanation.image),
        *labelled("workflow", explanation.workflow),
        *listed("sources", sources),
    ]
    for number, part in enumerate(explanation.parts, 1):
        named = "all that there are" if part.how == ALL else f"named by {part.how}"
        split = f" in split {part.split}" if part.split else ""
        said = f"{len(part.samples) - part.repeated} of the {part.of} samples of {part.tag}, {named}{split}"
        if part.repeated:
            said += f"; {part.repeated} of the {len(part.samples)} rows that were logged are repeated"
        if part.how == NOT_LOGGED:
            said = (
                f"its run has logged no selection, so any of the {part.of} samples of {part.tag} may have been used; "
                "registry.log_dataset logs it"
            )
        lines += labelled(part.context, said)
        if part.logical_hash not in {other.logical_hash for other in explanation.parts[number:]}:
            lines += labelled("identity", part.logical_hash)
    count = sum(len(part.samples) for part in explanation.parts)
    hint = f"{count} samples written to {written}" if written else "IDS=FILE writes every one, with its file and row"
    return "\n".join([*lines, *labelled("samples", hint)])
