"""What is known of a dataset's picture once it was looked at, small enough to keep for a hundred thousand of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.datasets.splits import Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from atrous.core.sizes import Size


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """One picture and its label in numbers.

    Attributes:
        name: its path in the dataset, or its name in the project.
        size: after EXIF rotation.
        look: see `looks.py`; empty if it is not known.
        class_pixels: our id -> pixels, void included, ids without pixels left out.
    """

    name: str
    split: Split
    size: Size
    image_sha256: str
    look: bytes
    class_pixels: Mapping[int, int]


def sum_pixels(facts: Iterable[PictureFacts]) -> dict[Split, Counter[int]]:
    """Pixels by split and our id, void included."""
    pixels: dict[Split, Counter[int]] = {split: Counter() for split in Split}
    for picture in facts:
        pixels[picture.split].update(picture.class_pixels)
    return pixels
