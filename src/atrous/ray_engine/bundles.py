"""A model's folder on its way to every machine: packed once, unpacked once on each, by its hash."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import zipfile
from pathlib import Path

from atrous.bundle.layout import MANIFEST
from atrous.core.errors import StorageError


def hash_bundle(folder: Path) -> str:
    """Tell bundles apart: sha256 of the manifest, which holds that of every file."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def pack_bundle(folder: Path) -> bytes:
    """All files of a bundle as an archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return packed.getvalue()


def unpack_bundle(packed: bytes, sha256: str, cache: Path) -> Path:
    """The folder of a packed bundle on this machine, unpacked if nobody did that before.

    Args:
        packed: what `pack_bundle` gave.
        sha256: of the bundle, as `hash_bundle` gives it.
        cache: where unpacked bundles lie.

    Raises:
        StorageError: if the disk refuses.
    """
    place = cache / sha256
    if place.is_dir():
        return place
    try:
        cache.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=cache, prefix=".draft-"))
        try:
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                archive.extractall(draft)
            _move(draft, place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise StorageError(f"{cache}: cannot be written ({error.strerror}); free space and run it again") from error
    return place


def _move(draft: Path, place: Path) -> None:
    try:
        draft.rename(place)
    except OSError:
        # Another process of this machine was quicker.
        if not place.is_dir():
            raise
