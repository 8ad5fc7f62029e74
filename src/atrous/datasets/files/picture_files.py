"""Which files are pictures."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"})


def is_picture(name: str) -> bool:
    """Whether a file is a picture by its suffix."""
    return PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES


def keep_pictures(names: Iterable[str]) -> list[str]:
    """Those of the names that are pictures', in their order."""
    return [name for name in names if is_picture(name)]
