"""PASCAL VOC: palette or colour masks in SegmentationClass/, with split lists; as labelme and CVAT export it, too."""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from atrous.bundle.picture import UNREADABLE
from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_list import CLASS_LIST_NAMES, find_class_list, open_class_list, read_class_list
from atrous.datasets.classes.voc_classes import VOC_BOUNDARY, VOC_CLASSES, voc_colour
from atrous.datasets.files.picture_files import keep_pictures
from atrous.datasets.files.tree import File, UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.masks.colour_mask import ColourMask
from atrous.datasets.masks.mask_file import MaskFile
from atrous.datasets.masks.mask_picture import HEAD_BYTES, decode_values, read_mask_header
from atrous.datasets.masks.voc_lists import read_voc_lists
from atrous.datasets.source import NO_HINTS, Source, SourceItem
from atrous.datasets.splits import Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from atrous.datasets.files.tree import Tree
    from atrous.datasets.masks.voc_lists import VocLists
    from atrous.datasets.source import Hints, Label

DESCRIPTION = (
    "JPEGImages/NAME.jpg with SegmentationClass/NAME.png, lists in ImageSets/Segmentation/ and class names in "
    "labelmap.txt, class_names.txt or classes.csv (PASCAL VOC, labelme, CVAT)"
)
IMAGE_FOLDERS = ("jpegimages", "images")
# The second is SBD's masks in the form of VOC.
MASK_FOLDERS = ("segmentationclass", "segmentationclassaug")
LIST_FOLDERS = ("ImageSets/Segmentation", "ImageSets")
SAMPLE_MASKS = 8


@dataclass(frozen=True, slots=True)
class _Classes:
    """Values and names; `colours` are pairs of 0xRRGGBB and a value, where these make the masks."""

    values: dict[int, str]
    colours: tuple[tuple[int, int], ...] = ()
    note: str = ""

    def label(self, mask: File) -> Label:
        """The label in a mask."""
        return ColourMask(mask, self.colours) if self.colours else MaskFile(mask)


def recognise(tree: Tree) -> bool:
    """Whether there is SegmentationClass/ with masks in it."""
    return _find_masks(tree) is not None


def read(tree: Tree, hints: Hints = NO_HINTS) -> Source:
    """Pair pictures and masks by their names, and give the splits that the lists say.

    Raises:
        InvalidDatasetError: if there are no pictures or no class names, or a list cannot be read.
    """
    folder = _find_masks(tree)
    images = _find_folder(tree, IMAGE_FOLDERS)
    if folder is None or images is None:
        raise InvalidDatasetError(f"{tree.place}: has no JPEGImages/; export the dataset together with its pictures")
    masks = _by_key(tree, folder)
    classes = _find_classes(tree, hints, list(masks.values()))
    lists = _read_lists(tree)
    pictures = _find_pictures(tree, images, masks)
    items = tuple(
        SourceItem(picture, lists.choose(key), classes.label(masks[key])) for key, picture in pictures.labelled.items()
    )
    findings = tuple(_find_faults(tree, images, pictures, masks, lists))
    notes = (classes.note, *_describe_excused(pictures, lists), *_describe_unused(lists))
    return Source(dict(sorted(classes.values.items())), items, findings, tuple(note for note in notes if note))


# Files


def _find_folder(tree: Tree, names: Iterable[str]) -> str | None:
    folders = {path.lower(): path for path in tree.folders()}
    return next((folders[name] for name in names if name in folders), None)


def _find_masks(tree: Tree) -> str | None:
    found = (_find_folder(tree, [name]) for name in MASK_FOLDERS)
    return next((folder for folder in found if folder and keep_pictures(tree.files_below(folder))), None)


def _by_key(tree: Tree, folder: str) -> dict[str, File]:
    """Files by their names without suffix; a .png wins over another picture of its name, such as a preview."""
    names = sorted(keep_pictures(tree.files_below(folder)), key=lambda name: name.lower().endswith(".png"))
    return {_key(folder, name): tree.file(name) for name in names}


def _key(folder: str, name: str) -> str:
    return PurePosixPath(name.removeprefix(f"{folder}/")).with_suffix("").as_posix()


def _read_lists(tree: Tree) -> VocLists:
    folder = next((name for name in LIST_FOLDERS if any(path.endswith(".txt") for path in tree.files(name))), "")
    return read_voc_lists(tree, folder or LIST_FOLDERS[0])


def _describe_unused(lists: VocLists) -> list[str]:
    names = ", ".join(file.base_name for file in lists.unused)
    return [f"lists whose names say no split were not used: {names}"] if names else []


# Classes


def _find_classes(tree: Tree, hints: Hints, masks: Sequence[File]) -> _Classes:
    listed = open_class_list(hints.class_list) if hints.class_list else _find_list(tree)
    sample = _take_sample(masks)
    if listed is None:
        return _recognise_voc(tree, sample)
    found = read_class_list(listed)
    has_colour = any(_has_colour(mask) for mask in sample)
    if found.values and not has_colour:
        return _Classes(found.values)
    if found.colours:
        # Where a list gives both, its values; otherwise the order of the list.
        by_name = {name: value for value, name in found.values.items()}
        values = by_name or {name: place for place, name in enumerate(dict.fromkeys(found.colours.values()))}
        pairs = [(colour, values[name]) for colour, name in found.colours.items() if name in values]
        return _Classes({value: name for name, value in values.items()}, _add_boundary(pairs))
    note = "masks are in colours and the list of classes has none: they were read as VOC's colours of its values"
    pairs = [(voc_colour(value), value) for value in found.values]
    return _Classes(found.values, _add_boundary(pairs), note)


def _add_boundary(pairs: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """VOC's colour of void as well, unless the list uses it."""
    boundary = (voc_colour(VOC_BOUNDARY), VOC_BOUNDARY)
    is_used = any(colour == boundary[0] or value == boundary[1] for colour, value in pairs)
    return tuple(pairs) if is_used else (*pairs, boundary)


def _find_list(tree: Tree) -> File | None:
    return find_class_list(tree) or _find_list_above(tree)


def _find_list_above(tree: Tree) -> File | None:
    """What lies beside the folder, as the labels.txt of labelme does beside its data_dataset_voc."""
    parent = tree.prefix.rstrip("/").rpartition("/")[0]
    if not tree.prefix:
        return None
    files = (File(tree.container, f"{parent}/{name}".lstrip("/")) for name in CLASS_LIST_NAMES)
    return next((file for file in files if _is_there(file)), None)


def _is_there(file: File) -> bool:
    try:
        return bool(file.read_head(1))
    except UnreadableFileError:
        return False


def _take_sample(masks: Sequence[File]) -> list[File]:
    step = max(1, len(masks) // SAMPLE_MASKS)
    return list(masks[::step][:SAMPLE_MASKS])


def _has_colour(mask: File) -> bool:
    header = read_mask_header(mask)
    return not isinstance(header, Finding) and header.has_colour and not header.is_jpeg


def _recognise_voc(tree: Tree, sample: Sequence[File]) -> _Classes:
    """VOC's own classes, where all that can be seen says that the dataset is VOC's."""
    is_voc = _find_folder(tree, ("annotations", "imagesets")) and sample and all(_is_voc_mask(mask) for mask in sample)
    if not is_voc:
        raise InvalidDatasetError(
            f"{tree.place}: has no list of classes, and its masks are not plainly PASCAL VOC's; write a classes.csv "
            "with lines such as 1,road"
        )
    note = "there is no list of classes: by their palette the masks are PASCAL VOC's, with its 20 classes"
    return _Classes(dict(VOC_CLASSES), note=note)


def _is_voc_mask(mask: File) -> bool:
    """Whether a mask has VOC's palette and no value that VOC lacks."""
    try:
        with Image.open(io.BytesIO(mask.read_head(HEAD_BYTES))) as picture:
            palette = picture.getpalette() if picture.mode == "P" else None
    except (*UNREADABLE, UnreadableFileError):
        return False
    values_HW = decode_values(mask)
    if not palette or isinstance(values_HW, Finding):
        return False
    colours = [red << 16 | green << 8 | blue for red, green, blue in zip(*[iter(palette)] * 3, strict=True)]
    values = set(np.unique(values_HW).tolist()) - {VOC_BOUNDARY}
    return values <= set(VOC_CLASSES) and all(colour == voc_colour(value) for value, colour in enumerate(colours))


# Pairs


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Pictures by their names without suffix, those with a mask apart; `repeated` share their name."""

    labelled: dict[str, File]
    unlabelled: dict[str, File]
    repeated: tuple[File, ...]


def _find_pictures(tree: Tree, images: str, masks: Mapping[str, File]) -> _Pictures:
    by_key: defaultdict[str, list[File]] = defaultdict(list)
    for name in keep_pictures(tree.files_below(images)):
        by_key[_key(images, name)].append(tree.file(name))
    single = {key: files[0] for key, files in by_key.items() if len(files) == 1}
    return _Pictures(
        labelled={key: file for key, file in single.items() if key in masks},
        unlabelled={key: file for key, file in single.items() if key not in masks},
        repeated=tuple(file for files in by_key.values() if len(files) > 1 for file in files),
    )


def _find_faults(
    tree: Tree, images: str, pictures: _Pictures, masks: Mapping[str, File], lists: VocLists
) -> Iterator[Finding]:
    """What is missing, and what is there twice."""
    for file in pictures.repeated:
        yield Finding(Kind.SAME_NAME, file.name, "is one of several pictures of its name", "keep one of them")
    for key, file in pictures.labelled.items():
        if conflict := lists.find_conflict(key, file.name):
            yield conflict
    excused = {key for keys in _find_excused(pictures, lists) for key in keys}
    for key, file in pictures.unlabelled.items():
        if key not in excused:
            yield Finding(Kind.NO_LABEL, file.name, f"has no mask {key}.png", "add the mask or remove the picture")
    known = {
        *pictures.labelled,
        *pictures.unlabelled,
        *(_key(tree.prefix + images, one.name) for one in pictures.repeated),
    }
    for key, file in masks.items():
        if key not in known:
            yield Finding(Kind.NO_PICTURE, file.name, "has no picture of its name", "add it or remove the mask")
    for key in sorted(lists.lists.keys() - known - masks.keys()):
        named_in = " and ".join(file.base_name for file in lists.lists[key])
        name = tree.file(f"{images}/{key}").name
        yield Finding(Kind.NO_PICTURE, name, f"is listed in {named_in}, but not there", "add it or correct the list")


def _find_excused(pictures: _Pictures, lists: VocLists) -> tuple[list[str], list[str]]:
    """Pictures that need no mask: those in no list, and those of a test split without any mask.

    Most of VOC's pictures are for detection alone and in no list; the masks of its test split are not published.
    """
    if not lists.lists:
        return [], []
    unlisted = [key for key in pictures.unlabelled if key not in lists.lists]
    if any(lists.choose(key) is Split.TEST for key in pictures.labelled):
        return unlisted, []
    return unlisted, [key for key in pictures.unlabelled if lists.choose(key) is Split.TEST]


def _describe_excused(pictures: _Pictures, lists: VocLists) -> list[str]:
    unlisted, hidden = _find_excused(pictures, lists)
    without_split = [key for key in pictures.labelled if lists.lists and key not in lists.lists]
    counted = {
        "pictures with a mask that no list names, which have no split": without_split,
        "pictures that no list names and that have no mask, which were left out": unlisted,
        "pictures of the test split, none of which has a mask, which were left out": hidden,
    }
    return [f"{phrase}: {len(keys)}" for phrase, keys in counted.items() if keys]
