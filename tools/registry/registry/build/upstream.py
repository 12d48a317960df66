"""What upstream of the sample of emotion does between two releases, so that there is something to compare."""

import csv
import hashlib
from pathlib import Path

from data_registry.stage.output import replacing

FILE = "train.txt"
CORRECTED = {
    "our neighbour feels shaky near the storm;fear": "our neighbour feels shaky near the storm;surprise",
    "my sister feels tender towards the ladder;love": "my sister feels tender towards the ladder;joy",
}
WITHDRAWN = "the new teacher feels hopeless about the night train"  # at the wish of whoever wrote it
ADDED = ("the baker feels proud of the lighthouse;joy", "the baker feels uneasy about the fog;fear")


def correct(folder: Path) -> None:
    """Correct two labels of the sample in a dataset's folder, withdraw a text and add two, and pin the new bytes."""
    path = folder / "sample" / FILE
    lines = [CORRECTED.get(line, line) for line in path.read_text(encoding="utf-8").splitlines()]
    kept = [line for line in lines if line.rpartition(";")[0] != WITHDRAWN]
    data = "".join(f"{line}\n" for line in [*kept, *ADDED]).encode()
    path.write_bytes(data)
    for pins in (folder / "sources.csv", folder / "sample" / "sources.csv"):
        with pins.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            if row["name"] == FILE:
                row |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": str(len(data))}
        with replacing(pins) as (temporary,), temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
