"""JSON documents with one value replaced by another, for readers that must bear anything."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["../x", "/x.jpg", "\0", "a\\b.jpg", "999999999999", ".", "=", "brushlabels"])
)
JSON_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def damaged_documents(document: Any) -> st.SearchStrategy[Any]:
    """The document with any value JSON, at any place of it."""
    places = list(_walk(document, ()))
    return st.builds(lambda place, value: _replace(document, place, value), st.sampled_from(places), JSON_VALUES)


def _walk(value: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _walk(one, (*place, key))


def _replace(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    replaced = copy.deepcopy(document)
    holder = replaced
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    return replaced
