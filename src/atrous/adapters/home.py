"""`ATROUS_HOME`: one folder that holds everything that was not given another place, opened as ports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from atrous.adapters.clock import SystemClock
from atrous.adapters.disk_blobs import DiskBlobs
from atrous.adapters.disk_bundles import DiskBundles
from atrous.adapters.sql_store import SqlStore, open_postgres_store, open_sqlite_store
from atrous.core.errors import InvalidInputError, StorageError
from atrous.workspace.ports import Ports

if TYPE_CHECKING:
    from atrous.workspace.ports import Blobs, Bundles

DEFAULT_CACHE_BYTES = 100_000_000_000


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie that need not lie in the home.

    Attributes:
        database_url: a PostgreSQL database; empty for SQLite in the home.
        blobs_url: `s3://BUCKET/PREFIX?endpoint=URL`, or `file:///FOLDER`; empty for the home. Models lie beside blobs
            in a bucket, so that servers on other machines find them.
        blob_cache_bytes: what local copies of blobs in a bucket may take; a version that is trained on has to fit.
    """

    database_url: str = ""
    blobs_url: str = ""
    blob_cache_bytes: int = DEFAULT_CACHE_BYTES


AT_HOME = Places()


def open_home(folder: Path, places: Places = AT_HOME) -> Ports:
    """Open a home, making it and bringing its database up to date first.

    Raises:
        StorageError: if the folder cannot be written.
        InvalidInputError: if its database was made by a newer release or is damaged, or a URL is of another form.
        MissingExtraError: if this installation lacks the driver of a database or storage that a URL names.
        UnavailableError: if the database cannot be reached.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made ({error.strerror}); set ATROUS_HOME to another folder") from error
    blobs, bundles = _open_blobs(folder, places)
    store = _open_store(folder, places.database_url)
    return Ports(store=store, queue=store, blobs=blobs, bundles=bundles, clock=SystemClock())


def open_bundles(folder: Path, places: Places = AT_HOME) -> Bundles:
    """The models of a home alone, for processes that need no database.

    Raises:
        InvalidInputError: if a URL is of another form.
        MissingExtraError: if this installation lacks the driver of the storage.
    """
    return _open_blobs(folder, places)[1]


def close_home(ports: Ports) -> None:
    """Close the connections of ports that `open_home` gave, so that the home may be moved."""
    if isinstance(ports.store, SqlStore):
        ports.store.close()


def _open_store(folder: Path, database_url: str) -> SqlStore:
    if database_url:
        return open_postgres_store(database_url)
    database = folder / "atrous.db"
    try:
        database.touch(mode=0o600)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made ({error.strerror}); set ATROUS_HOME to another folder") from error
    return open_sqlite_store(database)


def _open_blobs(folder: Path, places: Places) -> tuple[Blobs, Bundles]:
    local = DiskBundles(folder / "models")
    url = urlsplit(places.blobs_url)
    match url.scheme:
        case "":
            return DiskBlobs(folder / "blobs"), local
        case "file" if url.path and not url.netloc:
            return DiskBlobs(Path(unquote(url.path))), local
        case "s3":
            return _open_bucket(folder, places, local)
        case _:
            raise InvalidInputError(
                f"ATROUS_BLOBS_URL: {places.blobs_url!r} is neither s3://BUCKET/PREFIX nor file:///FOLDER; correct it"
            )


def _open_bucket(folder: Path, places: Places, local: DiskBundles) -> tuple[Blobs, Bundles]:
    # Imported here because only those with a bucket have its driver.
    from atrous.adapters.blob_cache import BlobCache  # noqa: PLC0415
    from atrous.adapters.bucket import open_bucket  # noqa: PLC0415
    from atrous.adapters.bucket_blobs import BucketBlobs  # noqa: PLC0415
    from atrous.adapters.bucket_bundles import BucketBundles  # noqa: PLC0415

    bucket = open_bucket(places.blobs_url)
    cache = BlobCache(folder / "cache" / "blobs", places.blob_cache_bytes)
    return BucketBlobs(bucket, cache), BucketBundles(bucket, local, folder / "cache")
