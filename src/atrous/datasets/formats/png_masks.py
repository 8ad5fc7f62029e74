"""Class-id PNG masks in folders beside their pictures, with one csv of class names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.core.errors import InvalidDatasetError
from atrous.datasets.class_table import find_class_table, read_class_table
from atrous.datasets.findings import Finding
from atrous.datasets.mask_file import MaskFile
from atrous.datasets.picture_files import list_folders, list_pictures_below
from atrous.datasets.source import Source, SourceItem
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from pathlib import Path

DESCRIPTION = (
    "images/NAME.jpg with masks/NAME.png (or labels/, annotations/), as they are or in train/, valid/ and test/, and "
    "a classes.csv (Pixel Value,Class) beside these folders"
)
IMAGE_FOLDERS = ("images", "image", "imgs", "img")
MASK_FOLDERS = ("masks", "mask", "labels", "label", "annotations", "annotation", "gts", "gt")


@dataclass(frozen=True, slots=True)
class _Part:
    images: Path
    masks: Path | None
    split: Split | None


def recognise(folder: Path) -> bool:
    """Whether there is a csv of class names and a folder of pictures beside one of masks."""
    return find_class_table(folder) is not None and any(part.masks for part in _find_parts(folder))


def read(folder: Path) -> Source:
    """Pair pictures and masks by their names.

    Raises:
        InvalidDatasetError: if the csv of class names is missing or cannot be read.
    """
    table = find_class_table(folder)
    if table is None:
        raise InvalidDatasetError(f"{folder}: has no classes.csv; write one with lines such as 1,road")
    items: list[SourceItem] = []
    findings: list[Finding] = []
    for part in _find_parts(folder):
        if part.masks is None:
            findings.append(Finding(part.images, "has no folder of masks beside it", "add masks/ or remove the folder"))
        else:
            _pair(part, part.masks, items, findings)
    return Source(read_class_table(table), tuple(items), tuple(findings))


def _find_parts(folder: Path) -> list[_Part]:
    parts = [_find_part(folder, None)]
    parts += [_find_part(entry, SPLIT_NAMES.get(entry.name.lower())) for entry in list_folders(folder)]
    return [part for part in parts if part]


def _find_part(folder: Path, split: Split | None) -> _Part | None:
    folders = {entry.name.lower(): entry for entry in list_folders(folder)}
    images = next((folders[name] for name in IMAGE_FOLDERS if name in folders), None)
    candidates = [folders[name] for name in MASK_FOLDERS if name in folders]
    masks = next((entry for entry in candidates if list_pictures_below(entry)), None)
    return _Part(images, masks, split) if images else None


def _pair(part: _Part, masks: Path, items: list[SourceItem], findings: list[Finding]) -> None:
    # A .png comes last and so wins over another picture of its name, such as a coloured preview.
    files = sorted(list_pictures_below(masks), key=lambda path: path.suffix.lower() == ".png")
    masks_by_key = {_key(masks, path): path for path in files}
    unpaired = dict(masks_by_key)
    for path in list_pictures_below(part.images):
        key = _key(part.images, path)
        mask = masks_by_key.get(key)
        unpaired.pop(key, None)
        if mask is None:
            findings.append(Finding(path, f"has no mask {masks.name}/{key}.png", "add the mask or remove the picture"))
        else:
            items.append(SourceItem(path.name, path, part.split or _split_inside(key), MaskFile(mask)))
    findings += [Finding(path, "has no picture of its name", "add it or remove the mask") for path in unpaired.values()]


def _key(root: Path, path: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def _split_inside(key: str) -> Split | None:
    first, _, rest = key.partition("/")
    return SPLIT_NAMES.get(first.lower()) if rest else None
