"""A picture and its label on the way out, and the name that a picture gets in an export."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from atrous.datasets.files.picture_files import PICTURE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import uint8
    from numpy.typing import NDArray

    from atrous.core.sizes import Size
    from atrous.datasets.splits import Split

# What Windows refuses in names, and halves of characters, which UTF-8 cannot say.
REFUSED = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\ud800-\udfff\u2028\u2029]')
OUTER_DOTS = re.compile(r"^[.\s]+|[.\s]+$")
DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))})
# As .txt in YOLO's labels/, these pass for something else than a label.
TEXTS = frozenset({"classes", "notes", "readme"})
# 255 bytes are the most that file systems take; the rest is for a hash and for `_mask.png`.
MAX_STEM_BYTES = 200
# Beside `a.jpg`, a picture `a_mask.jpg` would pass for its mask.
MASK_ENDING = "_mask"
HASH_DIGITS = 8


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A picture of a project with its label, not loaded yet; both loaders are called once, in any thread.

    Attributes:
        name: what the project calls the picture; may have folders.
        split: which part it belongs to.
        load_image: gives the file's bytes.
        load_mask: gives mask_HW, uint8: class ids or 255 for void, of the picture's size after EXIF rotation.
    """

    name: str
    split: Split
    load_image: Callable[[], bytes]
    load_mask: Callable[[], NDArray[uint8]]


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """A picture as it goes into an export.

    Attributes:
        stem: its name without suffix; no other picture of the export has it, in whatever case.
        suffix: with its dot.
        data: the file's bytes, untouched.
        size: of the picture after EXIF rotation, and so of its label.
        void_px: how many pixels of its label are void.
    """

    stem: str
    suffix: str
    split: Split
    data: bytes
    size: Size
    void_px: int

    @property
    def file_name(self) -> str:
        """The name with its suffix."""
        return self.stem + self.suffix


@dataclass(slots=True)
class PictureNames:
    """Names given so far; about 150 bytes of memory each."""

    _taken: set[str] = field(default_factory=set[str])

    def choose(self, name: str, data: bytes, suffix: str) -> tuple[str, str]:
        """Stem and suffix of a picture in the export: its own ones without folders, where these are free and safe.

        A name that is taken gets digits of the picture's sha256, and what some system refuses becomes `_`.

        Args:
            name: what the project calls the picture.
            data: its bytes.
            suffix: what pictures of this kind end with, for a name without a known suffix.
        """
        base_name = drop_folders(name)
        own_suffix = PurePosixPath(base_name).suffix
        if own_suffix.lower() in PICTURE_SUFFIXES:
            base_name, suffix = base_name.removesuffix(own_suffix), own_suffix
        stem = _make_safe(base_name)
        if _fold(stem) in self._taken or _fold(stem).endswith(MASK_ENDING):
            stem = self._find_free(f"{stem}-{hashlib.sha256(data).hexdigest()[:HASH_DIGITS]}")
        self._taken.add(_fold(stem))
        return stem, suffix

    def _find_free(self, stem: str) -> str:
        candidate, number = stem, 2
        while _fold(candidate) in self._taken:
            candidate, number = f"{stem}-{number}", number + 1
        return candidate


def drop_folders(name: str) -> str:
    """The last part of a path, whichever system wrote it."""
    return name.replace("\\", "/").rpartition("/")[2]


def _make_safe(stem: str) -> str:
    plain = REFUSED.sub("_", stem).encode()[:MAX_STEM_BYTES].decode(errors="ignore")
    # Files that begin with a dot are hidden, Windows drops dots and spaces at the end, lists of names any space.
    safe = OUTER_DOTS.sub("", plain)
    inner_suffix = PurePosixPath(safe).suffix
    if inner_suffix.lower() in PICTURE_SUFFIXES:
        # In a list of stems, as VOC has them, `a.jpg` would pass for `a`.
        safe = f"{safe.removesuffix(inner_suffix)}_{inner_suffix[1:]}"
    is_reserved = safe.partition(".")[0].casefold() in DEVICES or safe.casefold() in TEXTS
    return f"_{safe}" if not safe or is_reserved else safe


def _fold(stem: str) -> str:
    """What some file systems take for the same name."""
    return unicodedata.normalize("NFC", stem.casefold())
