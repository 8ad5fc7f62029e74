"""A label as YOLO stores it: one line an object, as parts of the picture's width and height."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.outlines.outline import Outline, OutlineLabel
from atrous.datasets.outlines.shapes import Polygons, make_box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atrous.core.sizes import Size
    from atrous.datasets.files.tree import File
    from atrous.datasets.fixes import Fixes
    from atrous.datasets.source import LabelValues, PictureShape

BOX_NUMBERS = 4
LEAST_NUMBERS = 6  # three points
SLACK = 0.01  # what Ultralytics lets pass
EXAMPLE = "write a class and at least three points a line, such as 0 0.1 0.2 0.3 0.2 0.3 0.4"


@dataclass(frozen=True, slots=True, eq=False)
class YoloObject:
    """One line: a class counted from 0, and numbers from 0 to 1, of points x, y or of a box (centre, size)."""

    line: int
    class_index: int
    numbers: NDArray[np.float64]

    @property
    def is_box(self) -> bool:
        """Whether it says no more than a box."""
        return len(self.numbers) == BOX_NUMBERS

    def make_shape(self, size: Size) -> Polygons:
        """Its geometry in pixels."""
        scale_xy = np.array([size.width, size.height])
        if not self.is_box:
            return Polygons(((self.numbers.reshape(-1, 2) * scale_xy).tobytes(),))
        (x, y), (width, height) = (self.numbers.reshape(-1, 2) * scale_xy).tolist()
        return make_box(x - width / 2, y - height / 2, width, height)

    def measure_area(self) -> float:
        """Its area as a part of the picture's, by the shoelace formula."""
        x_N, y_N = self.numbers.reshape(-1, 2).T
        return abs(float(x_N @ np.roll(y_N, -1) - y_N @ np.roll(x_N, -1))) / 2


class DamagedLineError(Exception):
    """A line that cannot be read; the text names it and says why."""


def parse_objects(text: str, class_count: int) -> list[YoloObject]:
    """The objects of a file, in its order.

    Raises:
        DamagedLineError: naming the line that is malformed or out of range.
    """
    lines = enumerate(text.splitlines(), start=1)
    return [_parse_line(number, line.split(), class_count) for number, line in lines if line.strip()]


def _parse_line(number: int, words: Sequence[str], class_count: int) -> YoloObject:
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise DamagedLineError(f"line {number} has something else than numbers") from error
    if not np.isfinite(numbers).all() or numbers[0] != int(numbers[0]):
        raise DamagedLineError(f"line {number} has a class or a number that is none")
    points, class_index = numbers[1:], int(numbers[0])
    if len(points) != BOX_NUMBERS and (len(points) < LEAST_NUMBERS or len(points) % 2):
        raise DamagedLineError(f"line {number} has {len(words)} numbers, which are no class and pairs of x and y")
    if not 0 <= class_index < class_count:
        raise DamagedLineError(f"line {number} has class {class_index}, but the classes are 0 to {class_count - 1}")
    is_out = (points < -SLACK) | (points > 1 + SLACK)
    if is_out.any():
        raise DamagedLineError(f"line {number} has the coordinate {points[is_out][0]:g}, which is not from 0 to 1")
    return YoloObject(number, class_index, points)


@dataclass(frozen=True, slots=True)
class YoloLabel:
    """The objects of one file, for the upright picture; larger ones are painted first, as Ultralytics does.

    The value of a class is its index and one.
    """

    file: File
    class_count: int

    def digest(self) -> bytes:
        """A hash of the file."""
        return hashlib.sha256(self.file.read() + repr(self.class_count).encode()).digest()

    def load(self, picture: PictureShape, fixes: Fixes) -> LabelValues | Finding:
        """Draw the objects, or say why they cannot be a label."""
        try:
            objects = parse_objects(self.file.read().decode("utf-8-sig"), self.class_count)
        except UnreadableFileError as error:
            return Finding(Kind.UNREADABLE, self.file.name, str(error), "check that it exists and may be read")
        except UnicodeDecodeError:
            return Finding(Kind.DAMAGED_LABEL, self.file.name, "is not text", EXAMPLE)
        except DamagedLineError as error:
            return Finding(Kind.UNUSABLE_OUTLINE, self.file.name, str(error), EXAMPLE)
        outlines = tuple(
            Outline(f"line {one.line}", one.class_index + 1, one.make_shape(picture.size))
            for one in sorted(objects, key=YoloObject.measure_area, reverse=True)
            if not one.is_box
        )
        boxes = tuple(one.make_shape(picture.size) for one in objects if one.is_box)
        return OutlineLabel(self.file, None, outlines, boxes).load(picture, fixes)
