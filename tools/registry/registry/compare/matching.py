"""Find the samples that two versions have in common, by their ids, a million in a second."""

from typing import Any

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]


def same(old: npt.NDArray[np.bytes_], new: npt.NDArray[np.bytes_]) -> tuple[Places, Places]:
    """Return where the samples are that both have: places in either, in the order of the new."""
    for width in (8, 16):  # the first half of an id is enough, unless two have it in common
        keys_old, keys_new = _keys(old, width), _keys(new, width)
        order, by_key = np.argsort(keys_old, kind="stable"), np.argsort(keys_new, kind="stable")
        keys_old, keys_new = keys_old[order], keys_new[by_key]
        if _distinct(keys_old) and _distinct(keys_new):
            break
    if not len(old):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    in_old = np.empty(len(new), np.intp)
    in_old[by_key] = order[np.minimum(np.searchsorted(keys_old, keys_new), len(old) - 1)]
    in_new = np.flatnonzero(old[in_old] == new)
    return in_old[in_new], in_new


def _keys(ids: npt.NDArray[np.bytes_], width: int) -> npt.NDArray[Any]:
    return ids if width == 16 else np.ascontiguousarray(ids.view("<u8")[::2])


def _distinct(ordered: npt.NDArray[Any]) -> bool:
    return bool((ordered[1:] != ordered[:-1]).all())


def others(places: Places, rows: int) -> Places:
    """Return the places that are not among those given."""
    left = np.ones(rows, bool)
    left[places] = False
    return np.flatnonzero(left)
