"""A prediction as the semantic segmentation block of workflows gives it: one entry for each class."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from atrous.core.class_map import BACKGROUND_ID, ClassMap
from atrous.server.answer import present_class_ids

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atrous.runtime.decode import Answer


def describe_classes(answer: Answer, class_map: ClassMap) -> dict[str, Any]:
    """Every class but background with the box around all of it, its mean confidence and its run-length mask.

    A box is taken between the centres of its outermost pixels, as the stock block does: 40 columns are 39 wide.
    """
    mask_HW, levels_HW = answer.mask_HW, answer.levels_HW
    height, width = mask_HW.shape
    found = [class_id for class_id in present_class_ids(mask_HW) if class_id != BACKGROUND_ID]
    return {
        "image": {"width": width, "height": height},
        "predictions": [_describe_class(mask_HW == class_id, levels_HW, class_id, class_map) for class_id in found],
    }


def _describe_class(
    region_HW: NDArray[np.bool_], levels_HW: NDArray[np.uint8], class_id: int, class_map: ClassMap
) -> dict[str, Any]:
    region = region_HW.astype(np.uint8)
    left, top, columns, rows = cv2.boundingRect(region)
    # The stubs say str; it is bytes of ASCII letters.
    counts = cast("bytes", coco_mask.encode(np.asfortranarray(region))["counts"])
    return {
        "width": float(columns - 1),
        "height": float(rows - 1),
        "x": left + (columns - 1) / 2,
        "y": top + (rows - 1) / 2,
        "confidence": float(levels_HW[region_HW].mean()) / 255,
        "class_id": class_id,
        "class": class_map.names[class_id],
        "detection_id": str(uuid.uuid4()),
        "rle_mask": {"size": list(region_HW.shape), "counts": counts.decode("ascii")},
    }
