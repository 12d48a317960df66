"""The file that says how well an index is searched, which can only be measured once the index is built."""

from typing import Final

from data_registry.stage.output import replacing

from registry.datasets import Dataset

EVALUATION: Final = "evaluation.json"
UNMEASURED: Final = "{}\n"


def start_evaluation(dataset: Dataset) -> None:
    """Write an empty evaluation.json where a stage reads one that is not there: the index was never measured."""
    path = dataset.folder / EVALUATION
    if not path.exists() and EVALUATION in dataset.pipeline.read_text(encoding="utf-8", errors="replace"):
        with replacing(path) as (temporary,):
            temporary.write_text(UNMEASURED, encoding="utf-8")
