"""Masks of colours in folders beside their pictures, with a list of what each colour stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.datasets.masks.mask_folders import MaskKind, read_mask_folders, recognise_mask_folders
from atrous.datasets.source import NO_HINTS

if TYPE_CHECKING:
    from atrous.datasets.files.tree import Tree
    from atrous.datasets.source import Hints, Source

DESCRIPTION = (
    "images/NAME.jpg with coloured masks/NAME.png as for png-masks, and class_dict.csv (name,r,g,b), labelmap.txt, "
    "classes.json or another list of colours beside these folders"
)


def recognise(tree: Tree) -> bool:
    """Whether there are pictures beside masks of colours."""
    return recognise_mask_folders(tree) is MaskKind.COLOUR


def read(tree: Tree, hints: Hints = NO_HINTS) -> Source:
    """Pair pictures and masks by their names, and colours and classes by the list.

    Raises:
        InvalidDatasetError: if there is no list of colours, or it is another dataset's.
    """
    return read_mask_folders(tree, hints)
