"""params.yaml of a dataset that was made from data."""

import yaml
from registry.build.proposed import Source, params


def test_a_setting_to_consider_is_a_comment_that_works_as_a_line() -> None:
    proposal = {
        "kind": "table",
        "rows": 90,
        "columns": [],
        "parquetizer": {"format": "csv", "inputs": [{"file": "a.csv"}]},
        "reasons": {"group": "[patient_id] # 30 values in 90 rows: with splits, set it"},
        "splits": [],
    }
    text = params("visits", Source("a.csv", {}, ""), proposal)
    line = "  # group: [patient_id] # 30 values in 90 rows: with splits, set it\n"
    assert line in text and "group" not in yaml.safe_load(text)["parquetizer"]
    assert yaml.safe_load(text.replace("# group", "group"))["parquetizer"]["group"] == ["patient_id"]
