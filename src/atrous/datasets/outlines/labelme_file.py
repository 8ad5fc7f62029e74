"""A label as labelme stores it: one JSON file of shapes a picture, painted in their order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atrous.core.sizes import Size
from atrous.datasets.files.json_file import get_list, get_text, get_whole_number, read_json
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.outlines.drawn_shapes import read_shape
from atrous.datasets.outlines.embedded_pictures import IMAGE_DATA
from atrous.datasets.outlines.outline import UNSCORED_VALUE, Outline, OutlineLabel
from atrous.datasets.outlines.shapes import Unusable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.datasets.files.tree import File
    from atrous.datasets.fixes import Fixes
    from atrous.datasets.source import LabelValues, PictureShape

# How base64 begins for the kinds of pictures that labelme embeds.
SUFFIX_BY_BASE64 = {"/9j/": ".jpg", "iVBOR": ".png", "Qk": ".bmp", "UklGR": ".webp", "R0lGOD": ".gif"}


@dataclass(frozen=True, slots=True)
class LabelMeSheet:
    """What the list of a dataset needs to know of one file.

    Attributes:
        image_path: of the picture, as labelme wrote it.
        embedded_suffix: of the picture inside the file, if there is one.
        names: of the classes that its shapes show.
    """

    file: File
    image_path: str
    embedded_suffix: str | None
    names: frozenset[str]


def read_sheet(file: File) -> LabelMeSheet:
    """Look through one file.

    Raises:
        UnreadableFileError: if it cannot be read or is not labelme's.
    """
    content: Any = read_json(file)
    image_path = get_text(content, "imagePath")
    if not isinstance(content, dict) or ("shapes" not in content and image_path is None):
        raise UnreadableFileError("has neither shapes nor imagePath, so it is not labelme's")
    data = get_text(content, IMAGE_DATA) or ""
    names = frozenset(name for shape in get_list(content, "shapes") if (name := _read_name(shape)))
    return LabelMeSheet(file, image_path or "", _find_suffix(data) if data else None, names)


def _find_suffix(data: str) -> str:
    return next((suffix for start, suffix in SUFFIX_BY_BASE64.items() if data.startswith(start)), ".jpg")


def _read_name(shape: Any) -> str:
    return (get_text(shape, "label") or "").strip()


@dataclass(frozen=True, slots=True)
class LabelMeLabel:
    """The shapes of one file; the value of a class is its place among `names`, from 1."""

    file: File
    names: tuple[str, ...]

    def digest(self) -> bytes:
        """A hash of the file and the classes."""
        return hashlib.sha256(self.file.read() + repr(self.names).encode()).digest()

    def load(self, picture: PictureShape, fixes: Fixes) -> LabelValues | Finding:
        """Draw the shapes, or say why they cannot be a label of this picture."""
        try:
            content = read_json(self.file)
        except UnreadableFileError as error:
            return Finding(Kind.DAMAGED_LABEL, self.file.name, str(error), "save it with labelme again")
        values = {name: value for value, name in enumerate(self.names, start=1)}
        shapes = get_list(content, "shapes")
        outlines = tuple(_read_outline(number, shape, values) for number, shape in enumerate(shapes, start=1))
        return OutlineLabel(self.file, _read_size(content), outlines).load(picture, fixes)


def _read_outline(number: int, shape: Any, values: Mapping[str, int]) -> Outline:
    name = _read_name(shape)
    if name not in values:
        return Outline(f"shape {number}", UNSCORED_VALUE, Unusable("has no label"))
    return Outline(f"shape {number} ({name[:40]})", values[name], read_shape(shape))


def _read_size(content: Any) -> Size | None:
    """Files before version 4 do not say it."""
    height, width = get_whole_number(content, "imageHeight"), get_whole_number(content, "imageWidth")
    return Size(height, width) if height and width and min(height, width) > 0 else None
