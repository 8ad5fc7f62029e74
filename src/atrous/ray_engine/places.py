"""Where pictures lie: listing them one by one, and reading one from any machine.

An address is an absolute path, or `s3://BUCKET/KEY?endpoint=URL&region=NAME` with a key quoted as in any URL.
"""

from __future__ import annotations

import glob
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from atrous.adapters.bucket import Bucket, open_bucket
from atrous.core.errors import InvalidImageError, InvalidInputError, NotFoundError
from atrous.datasets.files.picture_files import is_picture
from atrous.datasets.files.tree import is_visible
from atrous.ray_engine.outputs import S3

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LIST_SUFFIX = ".txt"


class Listed(NamedTuple):
    """A picture: its address, and a name for its results with `/` between folders."""

    address: str
    name: str


def list_pictures(places: Sequence[str]) -> Iterator[Listed]:
    """The pictures of folders, prefixes, files, globs and lists, one by one and perhaps more than once.

    Pictures of a single folder or prefix are named by where they lie in it, all others by their whole address.

    Raises:
        InvalidInputError: if there is nothing at a place, or a folder or list cannot be read.
    """
    is_alone = len(places) == 1
    for place in places:
        found = 0
        for picture in _list_place(place):
            found += 1
            yield picture if is_alone else Listed(picture.address, name_address(picture.address))
        if not found:
            raise InvalidInputError(
                f"{place}: no picture there; name folders, files, s3://BUCKET/PREFIX or a list of addresses in a "
                f"file {LIST_SUFFIX}"
            )


def read_picture(address: str) -> bytes:
    """The bytes of a picture file or object.

    Raises:
        InvalidImageError: if it cannot be read.
        StorageError: if the bucket refuses.
        UnavailableError: if it cannot be reached.
    """
    if not address.startswith(S3):
        try:
            return Path(address).read_bytes()
        except (OSError, ValueError) as error:
            raise InvalidImageError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    parts = urlsplit(address)
    try:
        return b"".join(_open_root(parts.netloc, parts.query).stream(unquote(parts.path.lstrip("/"))))
    except NotFoundError as error:
        raise InvalidImageError("cannot be read (No such object)") from error


def make_absolute(place: str) -> str:
    """A place as any process understands it, wherever that was started."""
    # Not by `resolve`, which would follow links and so change names.
    return place if place.startswith(S3) else os.path.abspath(Path(place).expanduser())  # noqa: PTH100


def name_address(address: str) -> str:
    """A name that tells addresses apart and leads out of no folder."""
    if address.startswith(S3):
        parts = urlsplit(address)
        return f"{parts.netloc}/{_tame(unquote(parts.path))}"
    return _tame(address)


def _list_place(place: str) -> Iterator[Listed]:
    if place.startswith(S3):
        return _list_prefix(place)
    if Path(place).is_dir():
        return _list_folder(place)
    if Path(place).is_file():
        if place.lower().endswith(LIST_SUFFIX):
            return _read_list(Path(place))
        return iter([Listed(place, Path(place).name)])
    names = sorted(glob.iglob(place, recursive=True))  # noqa: PTH207  (takes a whole pattern)
    return (Listed(name, name_address(name)) for name in names if Path(name).is_file())


def _list_folder(root: str) -> Iterator[Listed]:
    """Pictures below a folder, through links too, except those that lead back up; one folder's names at a time."""
    waiting = [("", frozenset[tuple[int, int]]())]
    while waiting:
        folder, above = waiting.pop()
        path = f"{root}/{folder}" if folder else root
        status = Path(path).stat()
        if (status.st_dev, status.st_ino) in above:
            continue
        files, folders = _scan(path)
        below = above | {(status.st_dev, status.st_ino)}
        prefix = f"{folder}/" if folder else ""
        yield from (Listed(f"{path}/{name}", f"{prefix}{name}") for name in files)
        waiting.extend((f"{prefix}{name}", below) for name in reversed(folders))


def _scan(path: str) -> tuple[list[str], list[str]]:
    """Names of the pictures and of the folders in a folder, in order."""
    files, folders = list[str](), list[str]()
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if not is_visible(entry.name):
                    continue
                if _is_folder(entry):
                    folders.append(entry.name)
                elif is_picture(entry.name):
                    files.append(entry.name)
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be listed ({error.strerror}); let it be read") from error
    return sorted(files), sorted(folders)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself, say: reading it will tell why


def _list_prefix(place: str) -> Iterator[Listed]:
    parts = urlsplit(place)
    root = unquote(parts.path).strip("/")
    # A prefix ends where a folder does: `a` does not mean `ab/1.jpg`.
    for key in _open_root(parts.netloc, parts.query).list(root):
        if is_picture(key):
            yield Listed(parts._replace(path=f"/{quote(key)}").geturl(), _tame(key[len(root) :]))


def _read_list(path: Path) -> Iterator[Listed]:
    """Addresses, one a line; paths are below the list's own folder unless they are absolute."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                address = line.rstrip("\r\n")
                if not address.strip():
                    continue
                if not address.startswith(S3):
                    address = os.path.abspath(path.parent / address)  # noqa: PTH100
                yield Listed(address, name_address(address))
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read ({error.strerror}); check the path") from error


def _tame(name: str) -> str:
    """A path below whatever it is put in."""
    return "/".join("_" if part in {".", ".."} else part for part in name.split("/") if part)


@cache
def _open_root(host: str, query: str) -> Bucket:
    return open_bucket(f"{S3}{host}?{query}", f"{S3}{host}")
