"""The forms in which the masks of an answer can be sent: as pictures, as runs, as outlines, or not at all."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import orjson

from atrous.runtime.class_runs import ClassRuns, find_class_runs, write_counts
from atrous.runtime.outlines import ALL_EXACT, OutlinedRegion, OutlineWish, outline_regions
from atrous.runtime.png import encode_grey_png

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.runtime.crew import Crew
    from atrous.runtime.decode import Answer


class Masks(StrEnum):
    """What of the masks a caller wants."""

    BOTH = "both"
    LABEL = "label"
    NONE = "none"
    RLE = "rle"
    POLYGONS = "polygons"


@dataclass(frozen=True, slots=True)
class Form:
    """How the masks of an answer are told; by default as the stock server does.

    Attributes:
        masks: what is told.
        outlines: which regions, and how finely, if it is polygons.
    """

    masks: Masks = Masks.BOTH
    outlines: OutlineWish = ALL_EXACT


AS_STOCK = Form()


def describe_masks(answer: Answer, form: Form, class_map: ClassMap, crew: Crew) -> dict[str, Any]:
    """Give the `predictions` of a reply, for `encode_json`; those of both masks as the stock server orders them."""
    told = {"class_map": class_map.as_json(), "present_class_ids": present_class_ids(answer.mask_HW)}
    match form.masks:
        case Masks.BOTH:
            return {
                "segmentation_mask": _write_png(answer.mask_HW, crew),
                "class_map": told["class_map"],
                "confidence_mask": _write_png(answer.levels_HW, crew),
                "present_class_ids": told["present_class_ids"],
            }
        case Masks.LABEL:
            return {"segmentation_mask": _write_png(answer.mask_HW, crew), **told}
        case Masks.NONE:
            return told
        case Masks.RLE:
            return {**told, "classes": _describe_classes(answer, class_map)}
        case Masks.POLYGONS:
            return {**told, **_describe_regions(answer, form.outlines, class_map)}


def present_class_ids(mask_HW: NDArray[np.uint8]) -> list[int]:
    """The ids in a label mask, in order."""
    # A histogram is linear; np.unique sorts every pixel.
    counts = cv2.calcHist([mask_HW], [0], None, [256], [0, 256])
    return np.flatnonzero(counts).tolist()


def quote_base64(data: bytes) -> orjson.Fragment:
    """Base64 in quotes: it goes into the body as it is, since none of its letters needs an escape."""
    return orjson.Fragment(b'"%b"' % base64.b64encode(data))


def _write_png(pixels_HW: NDArray[np.uint8], crew: Crew) -> orjson.Fragment:
    return quote_base64(encode_grey_png(pixels_HW, crew))


def _describe_classes(answer: Answer, class_map: ClassMap) -> list[dict[str, Any]]:
    return [_describe_class(runs, class_map, answer.mask_HW.shape) for runs in find_class_runs(answer)]


def _describe_regions(answer: Answer, wish: OutlineWish, class_map: ClassMap) -> dict[str, Any]:
    regions, is_truncated = outline_regions(answer, wish)
    told = [_describe_region(region, class_map, answer.mask_HW.size) for region in regions]
    written = orjson.Fragment(orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY))
    return {"regions": written, "truncated": is_truncated}


def _describe_class(runs: ClassRuns, class_map: ClassMap, shape_HW: tuple[int, ...]) -> dict[str, Any]:
    rle = {"size": list(shape_HW), "counts": write_counts(runs.counts_N)}
    return {**_describe_part(runs, class_map, shape_HW[0] * shape_HW[1]), "rle": rle}


def _describe_region(region: OutlinedRegion, class_map: ClassMap, pixels: int) -> dict[str, Any]:
    outlines = {"exterior": region.outer_N2, "holes": region.holes}
    return {**_describe_part(region, class_map, pixels), **outlines}


def _describe_part(part: ClassRuns | OutlinedRegion, class_map: ClassMap, pixels: int) -> dict[str, Any]:
    """What is told of a class and of a region alike."""
    return {
        "class": class_map.names[part.class_id],
        "class_id": part.class_id,
        "confidence": part.confidence,
        "area": part.area_px,
        "share": part.area_px / pixels,
        "bbox": part.box_xywh_px,
    }
