"""All rows at once, for backups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager


class Snapshot(Protocol):
    """All rows of a store as they were at one moment."""

    @property
    def revision(self) -> str:
        """What the shape of the rows is called."""
        ...

    @property
    def tables(self) -> Sequence[str]:
        """Names of all tables, each after those that its rows belong to."""
        ...

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of a table as values of JSON: times in ISO 8601, bytes in hexadecimal digits."""
        ...


class RowStore(Protocol):
    """Rows of every kind, as plain values."""

    def open_snapshot(self) -> AbstractContextManager[Snapshot]:
        """See all rows as they are now, whatever others change meanwhile."""
        ...

    def load_rows(self, revision: str, tables: Iterable[tuple[str, Iterable[Mapping[str, Any]]]]) -> None:
        """Fill an empty store with what a snapshot gave, also one of an older release; all of it or nothing.

        Raises ConflictError if the store is not empty, InvalidInputError if the rows are of a newer release.
        """
        ...
