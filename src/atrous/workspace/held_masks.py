"""Masks that are uploaded as pictures: NAME_mask.png belongs to NAME.*, whichever of the two comes first.

Its values are the project's class ids, and 255 is void. A value that the project has no class for yet gets one named
`class-<value>`, and so do the values below it, so that value and id stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from atrous.core.class_map import VOID_ID
from atrous.core.errors import ConflictError, InvalidDatasetError
from atrous.datasets.files.memory import file_in_memory
from atrous.datasets.files.picture_files import PICTURE_SUFFIXES
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES
from atrous.datasets.masks.mask_file import MaskFile
from atrous.datasets.masks.mask_picture import PNG_SIGNATURE, read_mask_header
from atrous.datasets.picture_check import CheckedPicture, check_picture
from atrous.workspace.annotations import keep_label
from atrous.workspace.records import HeldMask

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

    from atrous.datasets.files.tree import File
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Picture, Project

ENDING = "_mask"
SUFFIX = ".png"
GREY_OR_PALETTE = frozenset({"L", "P"})
UPLOAD = Path("upload")


@dataclass(frozen=True, slots=True)
class UploadedMask:
    """A file that may be the mask of another; `stem` is that one's name without suffix."""

    batch: str
    stem: str
    name: str
    data: bytes


def recognise_mask(batch: str, name: str, data: bytes) -> UploadedMask | None:
    """The mask that a file is by its name and its kind: a PNG of 8 bits, grey or with a palette."""
    path = PurePosixPath(name)
    stem = path.stem.removesuffix(ENDING)
    if path.suffix.lower() != SUFFIX or stem in {"", path.stem} or not data.startswith(PNG_SIGNATURE):
        return None
    header = read_mask_header(file_in_memory(UPLOAD, name, data))
    if isinstance(header, Finding) or header.mode not in GREY_OR_PALETTE or header.bits > 8:
        return None
    return UploadedMask(batch, stem, name, data)


def hold_or_attach(ports: Ports, project: Project, mask: UploadedMask) -> str | None:
    """Keep a mask, as the label of its picture or until that comes; give the id to answer with.

    None if the picture is there and the file has another size, so that it must be a picture itself.

    Raises:
        InvalidDatasetError: if it is damaged, or has more values than there may be classes.
        ConflictError: if the picture has another label.
    """
    _check_whole(mask)
    sha256 = ports.blobs.put(mask.data)
    held = HeldMask(mask.batch, mask.stem, sha256, ports.clock.now())
    # Held before its picture is looked for, as that looks for masks once it is there: one of the two finds the other.
    ports.store.hold_mask(project.workspace, project.slug, held)
    picture = _find_sibling(ports, project, mask.batch, mask.stem)
    if picture is None:
        return f"mask-{sha256[:20]}"
    is_taken = False
    try:
        is_taken = _attach(ports, project, picture, mask)
    finally:
        ports.store.take_mask(project.workspace, project.slug, mask.batch, mask.stem)
    return picture.id if is_taken else None


def attach_held(ports: Ports, project: Project, picture: Picture, batch: str) -> UploadedMask | None:
    """Give a picture the mask that waits for it, if one does; what turns out to be no mask of it is given back.

    Where the picture has another label, the mask goes on waiting.
    """
    stem = PurePosixPath(picture.name).stem
    held = ports.store.find_held_mask(project.workspace, project.slug, batch, stem)
    if held is None:
        return None
    mask = UploadedMask(batch, stem, f"{stem}{ENDING}{SUFFIX}", ports.blobs.get(held.sha256))
    try:
        is_taken = _attach(ports, project, picture, mask)
    except (ConflictError, InvalidDatasetError):
        return None
    # Forgotten only now: a server that dies before this finds it again.
    ports.store.take_mask(project.workspace, project.slug, batch, stem)
    return None if is_taken else mask


def _check_whole(mask: UploadedMask) -> None:
    checked = check_picture(file_in_memory(UPLOAD, mask.name, mask.data))
    if isinstance(checked, Finding):
        raise InvalidDatasetError(f"{mask.name}: {checked.reason}; {checked.remedy}")


def _find_sibling(ports: Ports, project: Project, batch: str, stem: str) -> Picture | None:
    names = [stem + spelling for suffix in sorted(PICTURE_SUFFIXES) for spelling in (suffix, suffix.upper())]
    found = ports.store.list_named(project.workspace, project.slug, names)
    return next((picture for picture in found if picture.batch == batch), None)


def _attach(ports: Ports, project: Project, picture: Picture, mask: UploadedMask) -> bool:
    """Whether it fits the picture, whose label it is from then on."""
    file = file_in_memory(UPLOAD, picture.name, ports.blobs.get(picture.image_sha256))
    values_HW = _read_values(mask, file)
    if values_HW is None:
        return False
    _name_values(ports, project, values_HW, mask.name)
    keep_label(ports, project, picture, values_HW)
    return True


def _read_values(mask: UploadedMask, picture: File) -> NDArray[uint8] | None:
    """The mask's values; None if it has another size than its picture."""
    checked = check_picture(picture)
    if not isinstance(checked, CheckedPicture):
        raise InvalidDatasetError(f"{picture.name}: {checked.reason}; {checked.remedy}")
    label = MaskFile(file_in_memory(UPLOAD, mask.name, mask.data)).load(checked.shape, NO_FIXES)
    if not isinstance(label, Finding):
        return np.asarray(label.values_HW, np.uint8)
    if label.kind is Kind.WRONG_SIZE:
        return None
    raise InvalidDatasetError(f"{mask.name}: {label.reason}; {label.remedy}")


def _name_values(ports: Ports, project: Project, values_HW: NDArray[uint8], name: str) -> None:
    """Classes for all values, so that value and id are the same."""
    classes = values_HW[values_HW != VOID_ID]
    highest = int(classes.max()) if classes.size else 0
    now = ports.store.find_project(project.workspace, project.slug) or project
    missing = [f"class-{value}" for value in range(len(now.class_map), highest + 1)]
    if not missing:
        return
    known = ports.store.extend_classes(project.workspace, project.slug, missing)
    if len(known) <= highest:
        raise ConflictError(
            f"{name}: has value {highest}, but the project's names of classes leave no id of that number; name its "
            "classes first"
        )
