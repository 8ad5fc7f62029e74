"""Formats that a labelled dataset can be written in, one file each, strangers to each other: EXPORTS is the table.

Pictures are written as they are. Their labels are of the upright picture: where a picture carries an EXIF rotation,
a tool that ignores it will see the two turned against each other, so such pictures are counted in the report.
"""

from __future__ import annotations

import io
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from atrous.bundle.picture import UNREADABLE
from atrous.core.class_map import VOID_ID
from atrous.core.errors import InvalidDatasetError, InvalidInputError
from atrous.core.sizes import Size
from atrous.datasets.exports import coco, png_masks, voc, yolo
from atrous.datasets.labelled_file import NamedPicture, PictureNames, drop_folders
from atrous.datasets.orientation import read_orientation
from atrous.datasets.parallel import map_in_threads
from atrous.datasets.pixel_counts import count_values
from atrous.datasets.splits import Split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.datasets.labelled_file import LabelledFile
    from atrous.datasets.sinks import Sink

TURNED = "pictures with an EXIF rotation, whose labels fit them only once they are turned as it says"
RENAMED = "pictures that got another name, since theirs was taken or not safe as a file's name"
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif"}  # others are called as their format


class Writer(Protocol):
    """Writes one dataset, picture by picture."""

    def add(self, picture: NamedPicture, label: Any) -> None:
        """Write a picture and what its format's `draw` made of its mask."""
        ...

    def finish(self) -> Mapping[str, int]:
        """Write the lists; give what the format could not say, as a phrase and how often."""
        ...


@dataclass(frozen=True, slots=True)
class Export:
    """How one format is written.

    Attributes:
        description: what the export holds, in a line.
        draw: from mask_HW to the label in the format; pure and done in threads.
        open: a writer for a dataset with these classes.
    """

    description: str
    draw: Callable[[NDArray[np.uint8]], Any]
    open: Callable[[Sink, ClassMap], Writer]


EXPORTS: dict[str, Export] = {
    "png-masks": Export(png_masks.DESCRIPTION, png_masks.draw, png_masks.PngMasksWriter),
    "coco": Export(coco.DESCRIPTION, coco.draw, coco.CocoWriter),
    "voc": Export(voc.DESCRIPTION, voc.draw, voc.VocWriter),
    "yolo": Export(yolo.DESCRIPTION, yolo.draw, yolo.YoloWriter),
    "yolov5": Export(yolo.V5_DESCRIPTION, yolo.draw, yolo.YoloV5Writer),
}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written.

    Attributes:
        format: a name in EXPORTS.
        pictures: how many, by split.
        remarks: what to know about the export, as a phrase -> how often.
    """

    format: str
    pictures: Mapping[Split, int]
    remarks: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        pictures = {split.value: count for split, count in self.pictures.items()}
        return {"format": self.format, "pictures": pictures, "remarks": dict(self.remarks)}


def write_dataset(format_name: str, pictures: Iterable[LabelledFile], class_map: ClassMap, sink: Sink) -> ExportReport:
    """Write pictures and labels in their order; a few pictures a core are in memory at a time.

    Args:
        format_name: one of EXPORTS.
        pictures: as a stream, so that it may count its progress or stop.
        class_map: names of the ids in the masks.
        sink: takes the files; nothing is to be read from it before it is closed.

    Raises:
        InvalidInputError: if there is no format of this name.
        InvalidDatasetError: naming the picture, if it cannot be read, its mask does not fit it or holds an id that is
            no class; or if there are no pictures.
        StorageError: if the disk refuses.
    """
    if format_name not in EXPORTS:
        raise InvalidInputError(f"export format {format_name!r}: use {', '.join(EXPORTS)}")
    export = EXPORTS[format_name]
    writer = export.open(sink, class_map)
    names, counts, remarks = PictureNames(), Counter[Split](), Counter[str]()
    prepare = partial(_prepare, draw=export.draw, class_count=len(class_map))
    with closing(map_in_threads(prepare, pictures)) as prepared:
        for one in prepared:
            picture = _name(one, names)
            remarks[TURNED] += one.is_turned
            remarks[RENAMED] += picture.file_name != drop_folders(one.name)
            counts[picture.split] += 1
            writer.add(picture, one.label)
    if not counts:
        raise InvalidDatasetError("there are no pictures to export; import some first")
    remarks.update(writer.finish())
    return ExportReport(format_name, {split: counts[split] for split in Split}, dict(+remarks))


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A picture and its label, ready to be written.

    Attributes:
        suffix: what pictures of its kind end with.
        label: as the format's `draw` gives it.
    """

    name: str
    split: Split
    data: bytes
    suffix: str
    is_turned: bool
    size: Size
    void_px: int
    label: Any


def _prepare(file: LabelledFile, *, draw: Callable[[NDArray[np.uint8]], Any], class_count: int) -> _Prepared:
    data, mask_HW = file.load_image(), file.load_mask()
    suffix, stored, orientation = _read_header(file.name, data)
    size = Size(*mask_HW.shape)
    is_turned = orientation != 1
    seen_sizes = {stored} if orientation < 5 else {stored, Size(height=stored.width, width=stored.height)}
    if size not in seen_sizes:
        raise InvalidDatasetError(f"{file.name}: the picture is {stored}, its mask {size}; import it again")
    counts = count_values(mask_HW, 256)
    strays = np.flatnonzero(counts[class_count:VOID_ID])
    if len(strays):
        stray = class_count + int(strays[0])
        raise InvalidDatasetError(
            f"{file.name}: its mask has value {stray}, but there are {class_count} classes; import it again"
        )
    return _Prepared(file.name, file.split, data, suffix, is_turned, size, int(counts[VOID_ID]), draw(mask_HW))


def _read_header(name: str, data: bytes) -> tuple[str, Size, int]:
    """Suffix, stored size and EXIF orientation of a picture."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            kind = picture.format or ""
            width, height = picture.size
    except UNREADABLE as error:
        raise InvalidDatasetError(f"{name}: is not a picture or is damaged; import it again") from error
    return SUFFIXES.get(kind, f".{kind.lower()}"), Size(height=height, width=width), read_orientation(data)


def _name(one: _Prepared, names: PictureNames) -> NamedPicture:
    stem, suffix = names.choose(one.name, one.data, one.suffix)
    return NamedPicture(stem, suffix, one.split, one.data, one.size, one.void_px)
