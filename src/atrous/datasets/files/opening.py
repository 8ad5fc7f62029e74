"""Opens a dataset where it lies: a folder, or an archive that is never unpacked into files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.files.archive import DEFAULT_LIMITS, Archive, PositionedFile, read_stamp
from atrous.datasets.files.tar_files import index_tar, is_tar
from atrous.datasets.files.tree import Tree, open_folder
from atrous.datasets.files.zip_directory import has_ending
from atrous.datasets.files.zip_files import index_zip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from atrous.datasets.files.archive import Index, Limits

# The first file's header, an ending alone, and the first of several parts.
ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
OTHER_ARCHIVES = {
    b"Rar!\x1a\x07": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x28\xb5\x2f\xfd": "packed by Zstandard",
}
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz"}


def open_dataset(path: Path, limits: Limits = DEFAULT_LIMITS) -> Tree:
    """List the files of a folder, a zip archive, or a tar archive, plain or packed by gzip, bzip2 or xz.

    What an archive is, its first bytes say, not its name. Entries that could do harm are left out and are findings of
    the tree. The tree's files may be read from several threads, and travel to other processes; each of those opens
    the archive once. Closing the tree, which is a context manager, lets go of the archive; a compressed tar holds a
    temporary file of its unpacked size until then (see tar_files).

    Raises:
        InvalidDatasetError: if there is no folder or archive, or one that cannot be used, saying what to do.
    """
    try:
        if path.is_dir():
            return open_folder(path)
        # Not a pipe or device: opening one may wait for ever.
        return _open_archive(path, limits) if path.is_file() else _refuse(path)
    except OSError as error:
        raise InvalidDatasetError(
            f"{path}: cannot be read ({error.strerror or error}); check the path and its permissions"
        ) from error


def _open_archive(path: Path, limits: Limits) -> Tree:
    archive = Archive(path, read_stamp(path), _choose_index(path), limits)
    index = archive.open_index()
    if index.names:
        return Tree(archive, index.names, findings=index.findings)
    archive.close()
    if not index.findings:
        raise InvalidDatasetError(f"{path}: is an empty archive; give another one")
    raise InvalidDatasetError(f"{path}: holds no file that can be read: {index.findings[0]}")


def _choose_index(path: Path) -> Callable[[PositionedFile, Limits], Index]:
    file = PositionedFile(os.open(path, os.O_RDONLY), path)
    head = file.read_at(0, 8)
    for magic, name in OTHER_ARCHIVES.items():
        if head.startswith(magic):
            raise InvalidDatasetError(f"{path}: is {name}, which is not read; unpack it and give the folder")
    if head.startswith(ZIP_SIGNATURES):
        return index_zip
    if is_tar(file):
        return index_tar
    for magic, name in COMPRESSED.items():
        if head.startswith(magic):
            raise InvalidDatasetError(
                f"{path}: is packed by {name}, but what it holds is no tar archive, an empty or a damaged one; "
                "give a folder, or a zip or tar archive"
            )
    # Last, since the last file of a tar may be a zip: one behind a program that unpacks it.
    return index_zip if has_ending(file) else _refuse(path)


def _refuse(path: Path) -> NoReturn:
    raise InvalidDatasetError(f"{path}: is not a folder or archive; give a folder, or a zip or tar archive")
