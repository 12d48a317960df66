"""The features of columns as Hugging Face's ``datasets`` writes them into the metadata of a schema.

https://huggingface.co/docs/datasets/about_dataset_features
"""

import json
from typing import Any

import pyarrow as pa

from .arrow_types import is_list, media_of

KEY = "huggingface"
NAMES = {"float": "float32", "double": "float64", "date32[day]": "date32"}


def metadata_of(features: dict[str, Any]) -> dict[str, str]:
    """Return the metadata of a schema whose columns, or some of them, have features."""
    return {KEY: json.dumps({"info": {"features": features}}, ensure_ascii=False)}


def feature_of(field: pa.Field) -> Any:
    """Return the feature of a field whose media ``parse_type`` or ``media_field`` has marked."""
    if media := media_of(field):
        return {"_type": media.capitalize()}
    if is_list(field.type):
        return [feature_of(field.type.value_field)]
    if pa.types.is_struct(field.type):
        return {child.name: feature_of(child) for child in field.type}
    return {"dtype": NAMES.get(str(field.type), str(field.type)), "_type": "Value"}


def has_media(field: pa.Field) -> bool:
    """Say whether a field is an image or audio, or has one at any depth."""
    children = [field.type.field(number) for number in range(field.type.num_fields)]
    return bool(media_of(field)) or any(map(has_media, children))
