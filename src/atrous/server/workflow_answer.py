"""A prediction as the semantic segmentation block of workflows gives it: one entry for each class."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from atrous.runtime.class_runs import ClassRuns, find_class_runs, write_counts

if TYPE_CHECKING:
    from atrous.core.class_map import ClassMap
    from atrous.runtime.decode import Answer


def describe_classes(answer: Answer, class_map: ClassMap) -> dict[str, Any]:
    """Every class but background with the box around all of it, its mean confidence and its run-length mask.

    A box is taken between the centres of its outermost pixels, as the stock block does: 40 columns are 39 wide.
    """
    height, width = answer.mask_HW.shape
    return {
        "image": {"width": width, "height": height},
        "predictions": [_describe_class(runs, class_map, [height, width]) for runs in find_class_runs(answer)],
    }


def _describe_class(runs: ClassRuns, class_map: ClassMap, size: list[int]) -> dict[str, Any]:
    left, top, columns, rows = runs.box_xywh_px
    return {
        "width": float(columns - 1),
        "height": float(rows - 1),
        "x": left + (columns - 1) / 2,
        "y": top + (rows - 1) / 2,
        "confidence": runs.confidence,
        "class_id": runs.class_id,
        "class": class_map.names[runs.class_id],
        "detection_id": str(uuid.uuid4()),
        "rle_mask": {"size": size, "counts": write_counts(runs.counts_N)},
    }
