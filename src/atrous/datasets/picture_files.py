"""Which files of a folder are pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"})


def list_pictures(folder: Path) -> list[Path]:
    """Pictures directly in a folder, in order of name."""
    return _pictures_among(folder.iterdir())


def list_pictures_below(folder: Path) -> list[Path]:
    """Pictures in a folder and the folders in it, in order of path."""
    return _pictures_among(folder.rglob("*"))


def list_folders(folder: Path) -> list[Path]:
    """Folders directly in a folder, in order of name; hidden ones left out."""
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _pictures_among(entries: Iterable[Path]) -> list[Path]:
    # macOS leaves ._NAME.jpg files in archives: their names are pictures', their content is not.
    return sorted(
        entry
        for entry in entries
        if entry.suffix.lower() in PICTURE_SUFFIXES and not entry.name.startswith(".") and entry.is_file()
    )
