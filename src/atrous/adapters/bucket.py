"""A bucket of S3-compatible storage, its errors as sentences."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from atrous.core.errors import InvalidInputError, MissingExtraError, NotFoundError, StorageError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from datetime import datetime
    from pathlib import Path

    from obstore.store import S3Store

OPTIONS = ("endpoint", "region")
DEFAULT_REGION = "us-east-1"
MAX_REASON_LENGTH = 300
# Parts of an upload that are in memory at a time, and their size; a file may have 10,000 parts.
PARTS_AT_ONCE = 4
PART_BYTES = 16 * 1024 * 1024
MAX_RETRIES = 3
RETRY_FOR = timedelta(seconds=20)
CONNECT_TIMEOUT = timedelta(seconds=5)
# Between two bytes, not for a whole file.
READ_TIMEOUT = timedelta(seconds=30)
TRANSFER_TIMEOUT = timedelta(hours=2)


class Bucket:
    """Objects by their key below one prefix."""

    def __init__(self, store: S3Store, name: str) -> None:
        self._store = store
        self._name = name

    def put(self, key: str, content: bytes | Path) -> None:
        """Keep bytes or a file, in parts of bounded memory, whole or not at all.

        Raises:
            StorageError: if the storage refuses.
            UnavailableError: if it cannot be reached.
        """
        import obstore  # noqa: PLC0415

        with self._translated(key):
            obstore.put(self._store, key, content, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)

    def stream(self, key: str) -> Iterator[bytes]:
        """The bytes, in parts.

        Raises:
            NotFoundError: if there is no such object.
            StorageError: if the storage refuses.
            UnavailableError: if it cannot be reached.
        """
        import obstore  # noqa: PLC0415

        with self._translated(key):
            for chunk in obstore.get(self._store, key).stream(min_chunk_size=PART_BYTES):
                yield bytes(chunk)

    def find_time(self, key: str) -> datetime | None:
        """When the object was last put; None if there is none."""
        import obstore  # noqa: PLC0415

        try:
            with self._translated(key):
                return obstore.head(self._store, key)["last_modified"]
        except NotFoundError:
            return None

    def list(self, prefix: str) -> Iterator[str]:
        """The keys of all objects below a prefix."""
        import obstore  # noqa: PLC0415

        with self._translated(prefix):
            for page in obstore.list(self._store, prefix):
                yield from (entry["path"] for entry in page)

    def remove(self, key: str) -> None:
        """Forget an object, if there is one."""
        import obstore  # noqa: PLC0415

        try:
            with self._translated(key):
                obstore.delete(self._store, key)
        except NotFoundError:
            return

    @contextmanager
    def _translated(self, key: str) -> Generator[None]:
        from obstore import exceptions  # noqa: PLC0415

        try:
            yield
        except FileNotFoundError as error:
            # A missing bucket is told apart by its code alone.
            if "NoSuchBucket" in str(error):
                raise StorageError(f"{self._name}: there is no such bucket; make it") from error
            raise NotFoundError(
                f"{self._name}/{key}: this object of the store is missing; restore it from a backup"
            ) from error
        except (PermissionError, exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise StorageError(f"{self._name}: refuses this; check AWS_ACCESS_KEY_ID and what it may do") from error
        except exceptions.BaseError as error:
            raise self._explain(error) from error

    def _explain(self, error: Exception) -> Exception:
        reason = _first_line(error)
        if "NoSuchBucket" in str(error):
            return StorageError(f"{self._name}: there is no such bucket; make it")
        if any(sign in str(error) for sign in ("error sending request", "HTTP error", "after", "timed out")):
            return UnavailableError(f"{self._name}: cannot be reached ({reason}); try again")
        return StorageError(f"{self._name}: refuses this ({reason}); check the bucket")


def open_bucket(url: str, setting: str = "ATROUS_BLOBS_URL") -> Bucket:
    """Open `s3://BUCKET/PREFIX?endpoint=URL&region=NAME`; the keys to it come from AWS_… variables.

    Nothing is sent yet.

    Args:
        url: where it is.
        setting: who said so, for messages.

    Raises:
        InvalidInputError: if the URL is of another form.
        MissingExtraError: if this installation lacks the driver.
    """
    try:
        from obstore.store import S3Store  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "S3 storage needs obstore, which this installation lacks; install Atrous with its extra `s3`, in a "
            "checkout by pip install '.[s3]'"
        ) from error
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    unknown = sorted(set(query) - set(OPTIONS))
    if parts.scheme != "s3" or not parts.hostname or unknown:
        raise InvalidInputError(
            f"{setting}: is no URL of the form s3://BUCKET/PREFIX?endpoint=URL&region=NAME"
            + (f"; leave {unknown[0]} out" if unknown else "")
        )
    config: dict[str, Any] = {"region": query.get("region") or _region()}
    endpoint = query.get("endpoint", "")
    if endpoint:
        config["endpoint"] = endpoint
    store = S3Store(
        parts.hostname,
        prefix=parts.path.strip("/") or None,
        config=config,  # pyright: ignore[reportArgumentType]
        client_options={
            "allow_http": _allows_http(endpoint),
            "connect_timeout": CONNECT_TIMEOUT,
            "read_timeout": READ_TIMEOUT,
            "timeout": TRANSFER_TIMEOUT,
        },
        retry_config={"max_retries": MAX_RETRIES, "retry_timeout": RETRY_FOR},
    )
    return Bucket(store, f"s3://{parts.hostname}{parts.path.rstrip('/')}")


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION


def _allows_http(endpoint: str) -> bool:
    named = endpoint or os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
    return named.startswith("http://")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:MAX_REASON_LENGTH]
