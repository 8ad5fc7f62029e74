"""COCO in Roboflow's layout: `_annotations.coco.json` beside the pictures of each split.

One annotation for each connected region (8-connectivity): a polygon along its pixels' edges if it has no hole,
otherwise compressed run lengths. Rasterised by pycocotools, either gives the very pixels of the region; programs that
also count the pixels under a polygon's line as inside, such as OpenCV's fillPoly, make it a pixel wider.

Category ids are class ids. Background is no category: it is what no annotation covers. Void becomes regions with
`iscrowd`, which pycocotools does not score; since each annotation needs a category, they have that of class 1, and
other classes do get scored there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson
from pycocotools import mask as coco_mask

from atrous.core.class_map import VOID_ID
from atrous.core.sizes import Size
from atrous.datasets.contours import count_runs, trace_regions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.datasets.contours import Region
    from atrous.datasets.labelled_file import NamedPicture
    from atrous.datasets.sinks import Scratch, Sink
    from atrous.datasets.splits import Split

DESCRIPTION = (
    "train/, valid/ and test/ with pictures and _annotations.coco.json: polygons, and run lengths where needed"
)
SPLIT_FILE = "_annotations.coco.json"
CATEGORY_OF_VOID = 1

coco: Any = coco_mask  # its type stubs know no uncompressed run lengths
Json: TypeAlias = dict[str, Any]


def draw(mask_HW: NDArray[np.uint8]) -> list[Json]:
    """Annotations without ids."""
    size = Size(*mask_HW.shape)
    return [_annotate(region, size) for region in trace_regions(mask_HW)]


class CocoWriter:
    """Writes pictures as they come; what is said about them waits in scratch files until the end."""

    def __init__(self, sink: Sink, class_map: ClassMap) -> None:
        self._sink = sink
        self._class_map = class_map
        self._documents: dict[Split, _Document] = {}

    def add(self, picture: NamedPicture, label: list[Json]) -> None:
        """Write a picture and keep its annotations."""
        self._sink.write(f"{picture.split}/{picture.file_name}", picture.data)
        if picture.split not in self._documents:
            self._documents[picture.split] = _Document(self._sink.open_scratch(), self._sink.open_scratch())
        self._documents[picture.split].add(picture, label)

    def finish(self) -> Mapping[str, int]:
        """Write the JSON file of each split."""
        for split, document in self._documents.items():
            self._sink.write_chunks(f"{split}/{SPLIT_FILE}", document.read(self._class_map))
        return {}


def _annotate(region: Region, size: Size) -> Json:
    is_void = region.class_id == VOID_ID
    needs_runs = is_void or region.holes
    return {
        "category_id": CATEGORY_OF_VOID if is_void else region.class_id,
        "segmentation": _compress(region, size) if needs_runs else [region.outer_N2.ravel().tolist()],
        "area": region.area_px,
        "bbox": list(region.box_xywh_px),
        "iscrowd": int(is_void),
    }


def _compress(region: Region, size: Size) -> Json:
    runs = {"size": [size.height, size.width], "counts": count_runs(region, size)}
    return runs | {"counts": coco.frPyObjects(runs, size.height, size.width)["counts"].decode()}


@dataclass(slots=True)
class _Document:
    """The JSON file of one split as it grows; entries are parted by commas."""

    images: Scratch
    annotations: Scratch
    image_count: int = 0
    annotation_count: int = 0

    def add(self, picture: NamedPicture, label: list[Json]) -> None:
        self.image_count += 1
        height, width = picture.size.height, picture.size.width
        image = {"id": self.image_count, "file_name": picture.file_name, "height": height, "width": width}
        self.images.append(_separate(image, self.image_count))
        for annotation in label:
            self.annotation_count += 1
            entry = {"id": self.annotation_count, "image_id": self.image_count} | annotation
            self.annotations.append(_separate(entry, self.annotation_count))

    def read(self, class_map: ClassMap) -> Iterator[bytes]:
        # A class named like its own supercategory would pass for Roboflow's placeholder; no class has an empty name.
        names = list(enumerate(class_map.names))[1:]
        categories = [{"id": class_id, "name": name, "supercategory": ""} for class_id, name in names]
        yield b'{"info":{"description":"Exported from Atrous"},"licenses":[],"categories":'
        yield orjson.dumps(categories)
        yield b',"images":[\n'
        yield from self.images.read_chunks()
        yield b'\n],"annotations":[\n'
        yield from self.annotations.read_chunks()
        yield b"\n]}\n"


def _separate(entry: Json, number: int) -> bytes:
    return (b",\n" if number > 1 else b"") + orjson.dumps(entry)
