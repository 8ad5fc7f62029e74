"""Where results and checkpoints are kept so that all machines see them: a shared folder, or a bucket.

Whatever is put is seen whole or not at all.
"""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from atrous.adapters.bucket import open_bucket
from atrous.core.errors import NotFoundError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atrous.adapters.bucket import Bucket

S3 = "s3://"
# Drafts of ours, which others' files in the same folder are not taken for.
DRAFT_START, DRAFT_END = ".draft-", ".part"


class Output(Protocol):
    """Files by their names, which may have folders."""

    def scratch(self) -> Path | None:
        """Where drafts lie that are put without being copied; None for any local folder."""
        ...

    def put(self, name: str, content: bytes | Path) -> None:
        """Keep bytes, or a file, which is gone afterwards.

        Raises:
            StorageError: if it is refused.
            UnavailableError: if the storage cannot be reached.
        """
        ...

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None if there is none."""
        ...

    def list(self) -> Iterator[str]:
        """Names of the files in no folder, in no order."""
        ...

    def clear(self) -> None:
        """Forget drafts that killed processes left."""
        ...


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """A folder, which machines share where there are several."""

    folder: Path

    def scratch(self) -> Path | None:
        """Itself, so that files are moved in one step."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refused(error) from error
        return self.folder

    def put(self, name: str, content: bytes | Path) -> None:
        """Keep bytes or a file, safe from a crash of the machine."""
        target = self.folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = content if isinstance(content, Path) and content.parent == self.folder else self._draft(content)
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.replace(target)
            _sync_folder(target.parent)
        except OSError as error:
            raise self._refused(error) from error

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None if there is none."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"{self.folder / name}: cannot be read ({error.strerror}); check the disk") from error

    def list(self) -> Iterator[str]:
        """Names of its own files."""
        if self.folder.is_dir():
            with os.scandir(self.folder) as entries:
                yield from (entry.name for entry in entries if entry.is_file())

    def clear(self) -> None:
        """Forget drafts."""
        for draft in self.folder.glob(f"{DRAFT_START}*{DRAFT_END}"):
            draft.unlink(missing_ok=True)

    def _draft(self, content: bytes | Path) -> Path:
        draft = self.folder / f"{DRAFT_START}{secrets.token_hex(8)}{DRAFT_END}"
        if isinstance(content, Path):
            shutil.move(content, draft)
        else:
            draft.write_bytes(content)
        return draft

    def _refused(self, error: OSError) -> StorageError:
        return StorageError(
            f"{self.folder}: cannot be written ({error.strerror}); free space and run the command again"
        )


@dataclass(frozen=True, slots=True)
class OutputBucket:
    """A bucket, or what lies below a prefix of it."""

    bucket: Bucket

    def scratch(self) -> Path | None:
        """Any folder will do."""
        return None

    def put(self, name: str, content: bytes | Path) -> None:
        """Keep bytes or a file."""
        self.bucket.put(name, content)
        if isinstance(content, Path):
            content.unlink()

    def read(self, name: str) -> bytes | None:
        """The bytes of an object; None if there is none."""
        try:
            return b"".join(self.bucket.stream(name))
        except NotFoundError:
            return None

    def list(self) -> Iterator[str]:
        """Names of the objects below no further prefix."""
        return (name for name in self.bucket.list("") if "/" not in name)

    def clear(self) -> None:
        """Do nothing: a bucket has no drafts."""


def _sync_folder(folder: Path) -> None:
    """Have a renaming outlive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_output(place: str) -> Output:
    """Open a folder, or `s3://BUCKET/PREFIX?endpoint=URL&region=NAME`.

    Raises:
        InvalidInputError: if a URL has another form.
        MissingExtraError: if the driver of buckets is missing.
    """
    if place.startswith(S3):
        return OutputBucket(open_bucket(place, "--out"))
    return OutputFolder(Path(place))


def extend_url(url: str, name: str) -> str:
    """The URL of a folder below one of a bucket."""
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{name}").geturl()
