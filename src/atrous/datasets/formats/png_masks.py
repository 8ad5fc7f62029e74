"""Masks of class ids, or black and white ones, in folders beside their pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.datasets.masks.mask_folders import MaskKind, read_mask_folders, recognise_mask_folders
from atrous.datasets.source import NO_HINTS

if TYPE_CHECKING:
    from atrous.datasets.files.tree import Tree
    from atrous.datasets.source import Hints, Source

DESCRIPTION = (
    "images/NAME.jpg with masks/NAME.png (or labels/, annotations/, train_labels/ beside train/; NAME_mask.png "
    "or NAME_gt.png, also beside NAME.jpg), in any folders, and beside them classes.csv (Pixel Value,Class), "
    "classes.json, class_names.txt or other lists of classes unless masks are black and white"
)


def recognise(tree: Tree) -> bool:
    """Whether there are pictures beside masks of values."""
    return recognise_mask_folders(tree) is MaskKind.VALUE


def read(tree: Tree, hints: Hints = NO_HINTS) -> Source:
    """Pair pictures and masks by their names.

    Raises:
        InvalidDatasetError: if it cannot be known what the values stand for.
    """
    return read_mask_folders(tree, hints)
