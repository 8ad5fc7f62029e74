"""A label as Supervisely stores it: one JSON file of objects a picture, painted in their order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from atrous.core.sizes import Size
from atrous.datasets.files.json_file import get_list, get_object, get_text, get_whole_number, read_json, show_value
from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.outlines.outline import Outline, OutlineLabel
from atrous.datasets.outlines.supervisely_shapes import read_shape

if TYPE_CHECKING:
    from atrous.datasets.files.tree import File
    from atrous.datasets.fixes import Fixes
    from atrous.datasets.source import LabelValues, PictureShape

IGNORED_SHAPES = "points, lines, skeletons and turned boxes, which were ignored"
EXPORT_AGAIN = "export the project again from Supervisely"


@dataclass(frozen=True, slots=True)
class ObjectClass:
    """A class of a project.

    Attributes:
        value: what pixels of its objects get.
        shape: of its objects, where these do not say theirs; empty if unknown.
    """

    title: str
    value: int
    shape: str = ""


@dataclass(frozen=True, slots=True)
class SuperviselyFile:
    """The annotation of one picture; later objects cover earlier ones."""

    file: File
    classes: tuple[ObjectClass, ...]

    def digest(self) -> bytes:
        """A hash of the file and of what its class titles mean."""
        return hashlib.sha256(self.file.read() + repr(self.classes).encode(errors="surrogatepass")).digest()

    def load(self, picture: PictureShape, fixes: Fixes) -> LabelValues | Finding:
        """Paint the objects, or say why they cannot be a label of this picture."""
        try:
            content = read_json(self.file)
        except UnreadableFileError as error:
            return Finding(Kind.DAMAGED_LABEL, self.file.name, str(error), EXPORT_AGAIN)
        size = _read_size(content)
        if size is None or "objects" not in content:
            reason = "has no size and objects as Supervisely has them"
            return Finding(Kind.DAMAGED_LABEL, self.file.name, reason, EXPORT_AGAIN)
        objects = get_list(content, "objects")
        outlines = self._read_outlines(objects)
        if isinstance(outlines, Finding):
            return outlines
        label = OutlineLabel(self.file, size, outlines).load(picture, fixes)
        ignored = len(objects) - len(outlines)
        if isinstance(label, Finding) or not ignored:
            return label
        return replace(label, remarks={**label.remarks, IGNORED_SHAPES: ignored})

    def _read_outlines(self, objects: list[Any]) -> tuple[Outline, ...] | Finding:
        classes = {one.title: one for one in self.classes}
        outlines: list[Outline] = []
        for number, entry in enumerate(objects, start=1):
            title = get_text(entry, "classTitle")
            if title not in classes:
                reason = f"object {number} is of class {show_value(title)}, which meta.json does not name"
                return Finding(Kind.UNDECLARED_VALUE, self.file.name, reason, EXPORT_AGAIN, value=show_value(title))
            shape = read_shape(entry, classes[title].shape)
            if shape is not None:
                outlines.append(Outline(f"object {number} ({title[:40]})", classes[title].value, shape))
        return tuple(outlines)


def _read_size(content: Any) -> Size | None:
    size = get_object(content, "size")
    height, width = get_whole_number(size, "height"), get_whole_number(size, "width")
    return Size(height, width) if height and width and min(height, width) > 0 else None
