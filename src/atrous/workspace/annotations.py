"""Labels of single pictures: annotations that are sent by themselves, and masks of class ids."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from atrous.bundle.picture import decode_grey_levels
from atrous.core.errors import ConflictError, InvalidDatasetError, NotFoundError
from atrous.datasets.annotation_text import read_annotation
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.findings import Finding
from atrous.datasets.labels import load_labelled_picture
from atrous.datasets.pixel_counts import count_values, keep_present
from atrous.workspace.import_pairs import encode_mask
from atrous.workspace.pictures import find_picture

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

    from atrous.datasets.annotation_text import AnnotationText
    from atrous.datasets.class_mapping import ClassMapping
    from atrous.datasets.source import Source
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Picture, Project

MAX_CLASS_NAME_LENGTH = 256
# What a label is marked with that a model made; a person's takes its place unasked.
PREDICTION_TAG = "prediction"


def annotate(
    ports: Ports,
    workspace: str,
    project_slug: str,
    picture_id: str,
    annotation: AnnotationText,
    *,
    overwrite: bool = False,
    is_prediction: bool = False,
) -> None:
    """Give a picture the label that a file says, drawn just as an import of the file would; new classes are added.

    The same label again changes nothing, and so may be sent as often as one likes.

    Args:
        ports: the world.
        workspace: owner of the project.
        project_slug: the project.
        picture_id: of a picture of the project.
        annotation: the file; see AnnotationText.
        overwrite: replace another label.
        is_prediction: whether a model made it: it never replaces a label, and the picture is tagged `prediction`.

    Raises:
        NotFoundError: if there is no such picture in the project.
        InvalidDatasetError: if the file cannot be a label of this picture.
        ConflictError: if the picture has another label, or there are too many classes.
    """
    project, picture = find_picture(ports, workspace, picture_id, project_slug)
    source = read_annotation(replace(annotation, picture=picture.name), ports.blobs.get(picture.image_sha256))
    mapping = map_classes(source.classes, project.class_map, may_be_empty=True)
    mask_HW = _draw(source, mapping, annotation.name)
    may_replace = _may_replace(picture, overwrite=overwrite, is_prediction=is_prediction)
    if not may_replace and picture.mask_sha256 and not is_same_label(ports, picture, mask_HW):
        raise _already_annotated(picture)
    settled = _settle_classes(ports, project, source)
    if settled.rows != mapping.rows:
        mask_HW = _draw(source, settled, annotation.name)
    keep_label(ports, project, picture, mask_HW, overwrite=overwrite, is_prediction=is_prediction)


def keep_label(
    ports: Ports,
    project: Project,
    picture: Picture,
    mask_HW: NDArray[uint8],
    *,
    overwrite: bool = False,
    is_prediction: bool = False,
) -> None:
    """Store a mask of the project's class ids as the label of one of its pictures.

    Args:
        ports: the world.
        project: the picture's.
        picture: as it was when the mask was made for it.
        mask_HW: class ids or 255 for void, of the picture's size.
        overwrite: replace another label.
        is_prediction: see `annotate`.

    Raises:
        ConflictError: if the picture has another label, also one that came meanwhile.
        NotFoundError: if the picture was deleted meanwhile.
    """
    mask = encode_mask(mask_HW)
    same = {hashlib.sha256(mask).hexdigest()}
    if picture.mask_sha256 and is_same_label(ports, picture, mask_HW):
        same.add(picture.mask_sha256)
    mask_sha256 = ports.blobs.put(mask)

    def change(now: Picture) -> Picture:
        if now.mask_sha256 in same:
            return now if is_prediction else _unmark(now)
        may_replace = _may_replace(now, overwrite=overwrite, is_prediction=is_prediction)
        if now.mask_sha256 and not may_replace:
            raise _already_annotated(now)
        # What an import knew of it says nothing about this label.
        labelled = replace(
            now, mask_sha256=mask_sha256, class_pixels=keep_present(count_values(mask_HW, 256)), source_sha256=""
        )
        return _mark(labelled) if is_prediction else _unmark(labelled)

    if ports.store.change_picture(project.workspace, picture.id, change) is None:
        raise NotFoundError(f"picture {picture.id!r}: was deleted meanwhile; upload it again")
    ports.store.touch_project(project.workspace, project.slug, ports.clock.now())


def is_same_label(ports: Ports, picture: Picture, mask_HW: NDArray[uint8]) -> bool:
    """Whether a picture's label has the pixels of a mask."""
    if picture.mask_sha256 is None:
        return False
    return np.array_equal(decode_grey_levels(ports.blobs.get(picture.mask_sha256)), mask_HW)


def _may_replace(picture: Picture, *, overwrite: bool, is_prediction: bool) -> bool:
    return not is_prediction and (overwrite or PREDICTION_TAG in picture.tags)


def _mark(picture: Picture) -> Picture:
    return replace(picture, tags=tuple(dict.fromkeys((*picture.tags, PREDICTION_TAG))))


def _unmark(picture: Picture) -> Picture:
    return replace(picture, tags=tuple(tag for tag in picture.tags if tag != PREDICTION_TAG))


def _already_annotated(picture: Picture) -> ConflictError:
    return ConflictError(
        f"{picture.name}: is already annotated with another label, which was kept; send overwrite=true to replace it"
    )


def _draw(source: Source, mapping: ClassMapping, name: str) -> NDArray[uint8]:
    (item,) = source.items
    labelled = load_labelled_picture(item, mapping)
    if isinstance(labelled, Finding):
        raise InvalidDatasetError(f"{name}: {labelled.reason}; {labelled.remedy}")
    return labelled.mask_HW


def _settle_classes(ports: Ports, project: Project, source: Source) -> ClassMapping:
    """Add the classes that the project lacks; others may do the same at this moment."""
    known = project.class_map
    while True:
        mapping = map_classes(source.classes, known, may_be_empty=True)
        new = mapping.class_map.names[len(known) :]
        if not new:
            return mapping
        for name in new:
            _check_class_name(name)
        try:
            known = ports.store.extend_classes(project.workspace, project.slug, new)
        except ConflictError:
            # Somebody added one in other capitals, which counts as the same.
            now = ports.store.find_project(project.workspace, project.slug)
            if now is None or now.class_map == known:
                raise
            known = now.class_map


def _check_class_name(name: str) -> None:
    if len(name) > MAX_CLASS_NAME_LENGTH or not name.isprintable():
        raise InvalidDatasetError(
            f"class {name[:50]!r}: use at most {MAX_CLASS_NAME_LENGTH} printable characters for its name"
        )
