"""Bytes by their sha256 in a bucket, as objects `blobs/ab/abcdef...`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from atrous.core.errors import NotFoundError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from atrous.adapters.blob_cache import BlobCache
    from atrous.adapters.bucket import Bucket

PREFIX = "blobs"
SHA256_LENGTH = 64


class BucketBlobs:
    """Blobs in S3-compatible storage; what is asked for as a file is fetched once and kept for a while."""

    def __init__(self, bucket: Bucket, cache: BlobCache) -> None:
        self._bucket = bucket
        self._cache = cache

    def put(self, data: bytes) -> str:
        """Keep bytes and give their sha256.

        Bytes that are there already are put again: it makes them young, so that nobody clears them away as forgotten.

        Raises:
            StorageError: if the storage refuses.
            UnavailableError: if it cannot be reached.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        self._bucket.put(_key(sha256), data)
        return sha256

    def put_file(self, path: Path) -> str:
        """Keep a file's bytes, however many, and give their sha256.

        Raises:
            StorageError: if the storage refuses, or the file cannot be read.
            UnavailableError: if the storage cannot be reached.
        """
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise StorageError(f"{path}: cannot be read ({error.strerror}); try again") from error
        self._bucket.put(_key(sha256), path)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes, as they were put.

        Raises:
            NotFoundError: if there are none.
            StorageError: if they were altered, or the storage refuses.
            UnavailableError: if it cannot be reached.
        """
        local = self._cache.find(sha256)
        if local:
            try:
                return local.read_bytes()
            except FileNotFoundError:
                pass
        data = b"".join(self._bucket.stream(_key(sha256)))
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StorageError(f"blob {sha256}: was altered in its storage; restore it from a backup")
        return data

    def path(self, sha256: str) -> Path:
        """A local copy, to be read only; it is safe for the next hour.

        Raises:
            NotFoundError: if there are no such bytes.
            StorageError: if they were altered, or the storage or the disk refuses.
            UnavailableError: if the storage cannot be reached.
        """
        return self._cache.find(sha256) or self._cache.add(sha256, self._bucket.stream(_key(sha256)))

    def verify(self, sha256: str) -> bool:
        """Whether the bytes in the bucket are still those that were put.

        Raises:
            NotFoundError: if there are none.
            StorageError: if the storage refuses.
            UnavailableError: if it cannot be reached.
        """
        digest = hashlib.sha256()
        for chunk in self._bucket.stream(_key(sha256)):
            digest.update(chunk)
        return digest.hexdigest() == sha256

    def has(self, sha256: str) -> bool:
        """Whether there are bytes of this hash."""
        return self._bucket.find_time(_key(sha256)) is not None

    def list(self) -> Iterator[str]:
        """The sha256 of all that is kept, in no order."""
        names = (key.rsplit("/", 1)[-1] for key in self._bucket.list(PREFIX))
        return (name for name in names if len(name) == SHA256_LENGTH)

    def find_age(self, sha256: str, now: datetime) -> timedelta | None:
        """How long ago they were last put; None if there are none."""
        moment = self._bucket.find_time(_key(sha256))
        return None if moment is None else now - moment

    def remove(self, sha256: str) -> None:
        """Forget bytes, if there are any of this hash."""
        self._bucket.remove(_key(sha256))
        self._cache.remove(sha256)


def _key(sha256: str) -> str:
    # A hash comes from callers too; what is none must not name another object.
    if len(sha256) != SHA256_LENGTH or not sha256.isalnum():
        raise NotFoundError(f"blob {sha256!r}: there is none of this name")
    return f"{PREFIX}/{sha256[:2]}/{sha256}"
