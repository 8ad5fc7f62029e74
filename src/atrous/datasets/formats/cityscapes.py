"""The layout of Cityscapes: leftImg8bit/ beside gtFine/ or gtCoarse/, by split and city.

Source of the ids and names: cityscapesScripts, helpers/labels.py; what its evaluation ignores is void here.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_list import find_class_list, open_class_list, read_class_list
from atrous.datasets.files.picture_files import keep_pictures
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.masks.mask_file import MaskFile
from atrous.datasets.source import NO_HINTS, Source, SourceItem
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from atrous.datasets.files.tree import Tree
    from atrous.datasets.source import Hints

DESCRIPTION = (
    "leftImg8bit/ with NAME_leftImg8bit.png beside gtFine/ or gtCoarse/ with NAME_gtFine_labelIds.png (or "
    "_labelTrainIds.png), with or without folders of splits and cities"
)
PICTURES = "leftImg8bit"
LABELS = ("gtFine", "gtCoarse")
VOID = "void"
TRAIN_CLASSES = (
    *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation"),
    *("terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"),
)
ID_OF_TRAIN_ID = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
# In order of preference: labelIds are what Cityscapes ships, labelTrainIds are computed from them.
CLASSES_BY_ENDING = {
    "_labelIds": dict.fromkeys(range(34), VOID) | dict(zip(ID_OF_TRAIN_ID, TRAIN_CLASSES, strict=True)),
    "_labelTrainIds": dict(enumerate(TRAIN_CLASSES)) | {255: VOID},
}
INSTANCES = "_instanceIds"


def recognise(tree: Tree) -> bool:
    """Whether the two folders of Cityscapes are there."""
    folders = {path for path in tree.folders() if keep_pictures(tree.files_below(path))}
    return PICTURES in folders and not folders.isdisjoint(LABELS)


def read(tree: Tree, hints: Hints = NO_HINTS) -> Source:
    """Pair pictures and labels by their names; a list of classes beside the folders counts instead of the usual names.

    Raises:
        InvalidDatasetError: if there are only instance ids or colours.
    """
    folder = next(name for name in LABELS if keep_pictures(tree.files_below(name)))
    ending = _choose_ending(tree, folder)
    masks = _index(tree, folder, f"_{folder}{ending}")
    pictures = _index(tree, PICTURES, f"_{PICTURES}")
    items = tuple(
        SourceItem(tree.file(name), _split_of(key), MaskFile(tree.file(masks[key])))
        for key, name in pictures.items()
        if key in masks
    )
    findings = [
        Finding(
            Kind.NO_LABEL,
            tree.file(name).name,
            f"has no label {folder}/{key}_{folder}{ending}.png",
            "add the label or remove the picture",
        )
        for key, name in pictures.items()
        if key not in masks
    ]
    findings += [
        Finding(Kind.NO_PICTURE, tree.file(name).name, "has no picture of its name", "add it or remove the label")
        for key, name in masks.items()
        if key not in pictures
    ]
    classes, notes = _choose_classes(tree, ending, hints)
    if all(keep_pictures(tree.files_below(name)) for name in LABELS):
        notes.append(f"labels are from {folder}/, those in {LABELS[1]}/ were not looked at")
    return Source(classes, items, tuple(findings), tuple(notes))


def _choose_ending(tree: Tree, folder: str) -> str:
    """The kind of label files that covers most pictures."""
    counts = {ending: len(_index(tree, folder, f"_{folder}{ending}")) for ending in CLASSES_BY_ENDING}
    if any(counts.values()):
        return max(counts, key=lambda ending: counts[ending])
    if _index(tree, folder, f"_{folder}{INSTANCES}"):
        raise InvalidDatasetError(
            f"{tree.place}: {folder}/ has {INSTANCES} files only, whose 16 bits hold class * 1000 + instance; export "
            "labelIds with json2labelImg of cityscapesScripts"
        )
    raise InvalidDatasetError(
        f"{tree.place}: {folder}/ has no file NAME_{folder}_labelIds.png; export labelIds with cityscapesScripts"
    )


def _index(tree: Tree, folder: str, ending: str) -> dict[str, str]:
    """Path below the folder without ending and suffix -> name."""
    names = {name: str(PurePosixPath(name).with_suffix("")) for name in keep_pictures(tree.files_below(folder))}
    return {
        path.removeprefix(f"{folder}/").removesuffix(ending): name
        for name, path in names.items()
        if path.endswith(ending)
    }


def _split_of(key: str) -> Split | None:
    first, _, rest = key.partition("/")
    return SPLIT_NAMES.get(first.lower()) if rest else None


def _choose_classes(tree: Tree, ending: str, hints: Hints) -> tuple[dict[int, str], list[str]]:
    notes = [f"labels are the {ending.removeprefix('_')} files"]
    file = open_class_list(hints.class_list) if hints.class_list else find_class_list(tree)
    if file is None:
        return CLASSES_BY_ENDING[ending], [*notes, "ids that the evaluation of Cityscapes ignores are void"]
    classes = read_class_list(file).values
    if not classes:
        raise InvalidDatasetError(f"{file.place}: gives colours but no ids; write one line a class, such as 7,road")
    return classes, [*notes, f"class names are from {file.name}"]
