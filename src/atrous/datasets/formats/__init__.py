"""Dataset formats, one file each, strangers to each other: FORMATS is the table of them.

A format is two functions: `recognise` looks at names only and is quick; `read` gives what is there without opening
pictures. A new format is one file, one line here and one fixture generator in its contract tests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError, InvalidInputError
from atrous.datasets.blank_label import label_missing
from atrous.datasets.fixes import Fix
from atrous.datasets.formats import (
    cityscapes,
    coco,
    colour_masks,
    label_studio,
    labelme,
    mat_masks,
    png_masks,
    roboflow_png,
    supervisely,
    voc,
    yolo,
)
from atrous.datasets.source import NO_HINTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atrous.datasets.files.tree import Tree
    from atrous.datasets.source import Hints, Source

AUTO = "auto"
MAX_WRAPPERS = 3  # folders around a dataset, as archives and downloads have them
MAX_FOLDERS_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Format:
    """How one format is told from others and read.

    Attributes:
        description: what a folder of this format holds, in a line.
        recognise: whether a folder is of this format.
        read: its classes, pictures and labels; raises InvalidDatasetError if its lists cannot be read.
    """

    description: str
    recognise: Callable[[Tree], bool]
    read: Callable[[Tree, Hints], Source]


FORMATS: dict[str, Format] = {
    "png-masks": Format(png_masks.DESCRIPTION, png_masks.recognise, png_masks.read),
    "roboflow-png": Format(roboflow_png.DESCRIPTION, roboflow_png.recognise, roboflow_png.read),
    "coco": Format(coco.DESCRIPTION, coco.recognise, coco.read),
    "labelme": Format(labelme.DESCRIPTION, labelme.recognise, labelme.read),
    "yolo": Format(yolo.DESCRIPTION, yolo.recognise, yolo.read),
    "label-studio": Format(label_studio.DESCRIPTION, label_studio.recognise, label_studio.read),
    "voc": Format(voc.DESCRIPTION, voc.recognise, voc.read),
    "mat-masks": Format(mat_masks.DESCRIPTION, mat_masks.recognise, mat_masks.read),
    "supervisely": Format(supervisely.DESCRIPTION, supervisely.recognise, supervisely.read),
    "colour-masks": Format(colour_masks.DESCRIPTION, colour_masks.recognise, colour_masks.read),
    "cityscapes": Format(cityscapes.DESCRIPTION, cityscapes.recognise, cityscapes.read),
}


def recognise_format(tree: Tree) -> str:
    """The name of the one format that a tree is of.

    Raises:
        InvalidDatasetError: if none fits, saying what was looked for, or more than one does.
    """
    return _choose_format(tree, _find_formats(tree))


def has_format(tree: Tree) -> bool:
    """Whether a tree, or the one folder in it, is of any format.

    Raises:
        InvalidDatasetError: if several folders in it are.
    """
    _, fitting = _find_inside(tree, list(FORMATS))
    return bool(fitting)


def read_source(tree: Tree, format_name: str = AUTO, hints: Hints = NO_HINTS) -> tuple[str, Source]:
    """Read a tree as the format of this name, or as the one it is recognised as; give that name too.

    Where the tree itself is of no format, but exactly one folder in it is, that folder is read.

    Raises:
        InvalidInputError: if there is no format of this name.
        InvalidDatasetError: if the tree is not of that format.
    """
    if format_name not in {AUTO, *FORMATS}:
        raise InvalidInputError(f"format {format_name!r}: use {AUTO}, {', '.join(FORMATS)}")
    wanted = list(FORMATS) if format_name == AUTO else [format_name]
    inside, fitting = _find_inside(tree, wanted)
    if format_name == AUTO:
        format_name = _choose_format(inside, fitting)
    elif format_name not in fitting:
        raise InvalidDatasetError(f"{tree.place}: is not {format_name}; looked for {FORMATS[format_name].description}")
    source = FORMATS[format_name].read(inside, hints)
    if Fix.MISSING_TO_BACKGROUND in hints.fixes:
        source = label_missing(source, inside.container)
    notes = source.notes if inside is tree else (f"read from its folder {inside.prefix.rstrip('/')}", *source.notes)
    return format_name, replace(source, findings=(*inside.findings, *source.findings), notes=notes)


def _find_formats(tree: Tree) -> list[str]:
    return [name for name, known in FORMATS.items() if known.recognise(tree)]


def _choose_format(tree: Tree, fitting: Sequence[str]) -> str:
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InvalidDatasetError(
            f"{tree.place}: could be {' or '.join(fitting)}; say which one with --format {fitting[0]}"
        )
    looked_for = "; ".join(f"{name}: {known.description}" for name, known in FORMATS.items())
    raise InvalidDatasetError(f"{tree.place}: no known dataset format; looked for {looked_for}")


def _find_inside(tree: Tree, wanted: Sequence[str]) -> tuple[Tree, list[str]]:
    """The tree, or the one folder in it, at most MAX_WRAPPERS deep, that is of a wanted format; all that fit it too."""
    level: list[Tree] = [tree]
    for _ in range(MAX_WRAPPERS + 1):
        formats = [(one, _find_formats(one)) for one in level]
        fitting = [(one, names) for one, names in formats if not set(wanted).isdisjoint(names)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            found = ", ".join(f"{one.prefix.rstrip('/')} ({' or '.join(names)})" for one, names in fitting)
            raise InvalidDatasetError(f"{tree.place}: holds several datasets: {found}; give the folder of one of them")
        level = [one.subtree(folder) for one in level for folder in one.folders()]
        if not 0 < len(level) <= MAX_FOLDERS_LOOKED_AT:
            break
    return tree, []
