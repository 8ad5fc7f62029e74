"""Bytes by their hash, model folders, backups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta
    from pathlib import Path


class Blobs(Protocol):
    """Bytes by their sha256."""

    def put(self, data: bytes) -> str:
        """Keep bytes and give their sha256. Raises StorageError if the disk refuses."""
        ...

    def get(self, sha256: str) -> bytes:
        """The bytes. Raises NotFoundError if there are none."""
        ...

    def put_file(self, path: Path) -> str:
        """Keep a file's bytes, however many, and give their sha256. Raises StorageError if the disk refuses."""
        ...

    def path(self, sha256: str) -> Path:
        """A local file holding the bytes, to be read only. Raises NotFoundError if there is none."""
        ...

    def verify(self, sha256: str) -> bool:
        """Whether the bytes are still those that were put. Raises NotFoundError if there are none."""
        ...

    def has(self, sha256: str) -> bool:
        """Whether there are bytes of this hash."""
        ...

    def list(self) -> Iterator[str]:
        """The sha256 of all that is kept, in no order."""
        ...

    def find_age(self, sha256: str, now: datetime) -> timedelta | None:
        """How long ago they were last put; None if there are none."""
        ...

    def remove(self, sha256: str) -> None:
        """Forget bytes, if there are any of this hash."""
        ...


class Bundles(Protocol):
    """Published model folders."""

    def publish(self, folder: Path, workspace: str, slug: str) -> None:
        """Copy a folder, all at once or not at all; what an interrupted publishing left there is replaced."""
        ...

    def locate(self, workspace: str, slug: str) -> Path:
        """The local folder of a model. Raises NotFoundError if it is gone."""
        ...

    def list(self) -> Iterator[tuple[str, str]]:
        """Workspace and slug of all that is published, in no order."""
        ...

    def find_age(self, workspace: str, slug: str, now: datetime) -> timedelta | None:
        """How long ago a model was published; None if it is gone."""
        ...

    def remove(self, workspace: str, slug: str) -> None:
        """Forget a folder, if there is one."""
        ...


class Archive(Protocol):
    """A backup: blobs, and a manifest that names those that belong to it."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    @property
    def blobs(self) -> Blobs:
        """What the backup consists of."""
        ...

    def read_manifest(self) -> bytes | None:
        """The manifest; None before the first backup was finished."""
        ...

    def write_manifest(self, content: bytes) -> None:
        """Make this the backup, in one step. Raises StorageError if the disk refuses."""
        ...

    def open_draft(self) -> AbstractContextManager[Path]:
        """A folder for what is being written, gone afterwards."""
        ...
