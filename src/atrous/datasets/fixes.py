"""Named remedies for labels: what `--fix` may do, and nothing of it is done unasked."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias


class Fix(StrEnum):
    """A remedy by the name that findings and `--fix` use."""

    THRESHOLD_JPEG_MASKS = "threshold-jpeg-masks"
    INVERT_MASKS = "invert-masks"
    GREY_RGB_MASKS = "grey-rgb-masks"
    SIXTEEN_BIT_MASKS = "16-bit-masks"
    VALUES_MINUS_ONE = "values-minus-one"
    VALUES_PLUS_ONE = "values-plus-one"
    UNDECLARED_TO_VOID = "undeclared-to-void"
    NEAREST_COLOUR = "nearest-colour"
    RESIZE_LABELS = "resize-labels"
    TURN_LABELS = "turn-labels"
    MISSING_TO_BACKGROUND = "missing-to-background"
    COPIES_TO_TRAIN = "copies-to-train"


DESCRIPTIONS: dict[Fix, str] = {
    Fix.THRESHOLD_JPEG_MASKS: "take JPEG masks that are nearly black and white as two classes, parted at 127",
    Fix.INVERT_MASKS: "exchange the two values of black and white masks",
    Fix.GREY_RGB_MASKS: "take one channel of RGB masks whose channels are equal",
    Fix.SIXTEEN_BIT_MASKS: "accept 16-bit masks whose values are all declared",
    Fix.VALUES_MINUS_ONE: "subtract 1 from each mask value, for masks that count from 1; 0 becomes void, 255 stays",
    Fix.VALUES_PLUS_ONE: "add 1 to each mask value, for masks that count from 0; 255 stays",
    Fix.UNDECLARED_TO_VOID: "make pixels of values or colours that no class name declares void",
    Fix.NEAREST_COLOUR: "give an undeclared colour the class of the nearest declared one, if that is near",
    Fix.RESIZE_LABELS: "scale labels of another size but the same shape to their pictures, without blending",
    Fix.TURN_LABELS: "turn labels as the EXIF data turns their pictures",
    Fix.MISSING_TO_BACKGROUND: "take pictures without a label as background throughout",
    Fix.COPIES_TO_TRAIN: "move pictures of valid and test that train holds as a copy or near-duplicate to train",
}

Fixes: TypeAlias = frozenset[Fix]
NO_FIXES: Fixes = frozenset()
