"""Cast Arrow arrays to declared types where nothing is lost: decided by the types, then by each value."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
from samples.arrow_types import is_binary, is_list, is_string, storage_type

Test = Callable[[pa.DataType], bool]


# From the first to the second a cast is allowed, and each value must be the same afterwards.
FAMILIES: list[tuple[Test, Test]] = [
    (is_string, is_string),
    (is_binary, is_binary),
    (pa.types.is_integer, pa.types.is_integer),
    (pa.types.is_integer, pa.types.is_floating),
    (pa.types.is_integer, pa.types.is_decimal),
    (pa.types.is_floating, pa.types.is_floating),
    (pa.types.is_floating, pa.types.is_integer),  # as pandas has integers with nulls
    (pa.types.is_decimal, pa.types.is_decimal),
    (pa.types.is_decimal, pa.types.is_integer),
    (pa.types.is_date, pa.types.is_date),
    (pa.types.is_time, pa.types.is_time),
    (pa.types.is_duration, pa.types.is_duration),
]


def is_castable(source: pa.DataType, target: pa.DataType) -> bool:
    """Say whether values of one type may be values of the other: of the same sort, with the same fields."""
    source = storage_type(source)
    if source == target or pa.types.is_null(source):
        return True
    if is_list(source) and pa.types.is_list(target):
        return is_castable(source.value_type, target.value_type)
    if pa.types.is_struct(source) and pa.types.is_struct(target):
        names = [field.name for field in source]
        fields = {field.name: field.type for field in target}
        return len({*names}) == len(names) and all(
            field.name in fields and is_castable(field.type, fields[field.name]) for field in source
        )
    if pa.types.is_timestamp(source) and pa.types.is_timestamp(target):
        return (source.tz is None) == (target.tz is None)
    return any(is_source(source) and is_target(target) for is_source, is_target in FAMILIES)


def cast(array: pa.Array, target: pa.DataType) -> pa.Array:
    """Return an array as another type to which it is castable. Raises ArrowInvalid if a value would not be the same."""
    if array.type == target:
        return array
    if isinstance(array, pa.ExtensionArray):
        return cast(array.storage, target)
    if pa.types.is_dictionary(array.type):
        return cast(array.dictionary_decode(), target)
    if pa.types.is_run_end_encoded(array.type):
        return cast(pc.run_end_decode(array), target)
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), target)
    if is_list(array.type):
        lists = array.cast(pa.list_(array.type.value_type))  # of another layout
        offsets = pc.subtract(lists.offsets, lists.offsets[0]) if len(lists) else lists.offsets
        values = cast(lists.values.slice(lists.offsets[0].as_py(), offsets[-1].as_py()), target.value_type)
        return pa.ListArray.from_arrays(offsets, values, target, mask=lists.is_null())
    if pa.types.is_struct(array.type):
        names = array.type.names if hasattr(array.type, "names") else [field.name for field in array.type]
        parts = [
            cast(array.field(field.name), field.type) if field.name in names else pa.nulls(len(array), field.type)
            for field in target
        ]
        return pa.StructArray.from_arrays(parts, fields=[*target], mask=array.is_null())
    result = array.cast(target)
    if pa.types.is_floating(target) and pa.types.is_floating(array.type):  # Arrow rounds
        same = pc.or_kleene(pc.equal(result.cast(array.type), array), pc.is_nan(array))
        if not pc.all(same, min_count=0).as_py():
            raise pa.ArrowInvalid("a number that cannot be represented")
    return result
