"""The files that `atrous infer` leaves for a picture."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import cv2

from atrous.runtime.overlay import draw_overlay
from atrous.runtime.png import encode_grey_png

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.cli.predictors import Seen


class Kind(StrEnum):
    """What is written."""

    MASKS = "masks"
    OVERLAYS = "overlays"


ALL_KINDS = frozenset(Kind)
ENDINGS = {Kind.MASKS: "_mask.png", Kind.OVERLAYS: "_overlay.jpg"}


@dataclass(frozen=True, slots=True)
class PictureResults:
    """NAME_mask.png and NAME_overlay.jpg below a folder, as far as they are wanted."""

    folder: Path
    kinds: frozenset[Kind] = ALL_KINDS

    def are_there(self, stem: Path) -> bool:
        """Whether all that is wanted of a picture was written before."""
        return all(path.is_file() for path in self._places(stem).values())

    def write(self, stem: Path, seen: Seen) -> None:
        """Write what is wanted of a picture."""
        for kind, path in self._places(stem).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, encode_result(kind, seen))

    def _places(self, stem: Path) -> dict[Kind, Path]:
        target = self.folder / stem
        return {kind: target.with_name(name_result(target.name, kind)) for kind in Kind if kind in self.kinds}


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is seen whole or not at all, whenever the writing ends."""
    partial = path.with_name(f"{path.name}.part")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def name_result(stem: str, kind: Kind) -> str:
    """The name of a file, by that of its picture without the suffix."""
    return stem + ENDINGS[kind]


def encode_result(kind: Kind, seen: Seen) -> bytes:
    """The bytes of a file."""
    if kind is Kind.MASKS:
        return encode_grey_png(seen.mask_HW)
    return cv2.imencode(".jpg", draw_overlay(seen.image_HWC, seen.mask_HW, seen.class_map))[1].tobytes()
