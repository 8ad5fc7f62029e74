"""Pictures that are uploaded one by one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from atrous.core.errors import InvalidImageError, NotFoundError, TooLargeError
from atrous.datasets.files.memory import file_in_memory
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.picture_check import check_picture
from atrous.datasets.splits import Split
from atrous.workspace.held_masks import UPLOAD, attach_held, hold_or_attach, recognise_mask
from atrous.workspace.picture_marks import check_metadata, tidy_batch, tidy_name, tidy_tags
from atrous.workspace.records import Picture, make_picture_id
from atrous.workspace.versions import find_project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Project

DEFAULT_BATCH = "Pip Package Upload"


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A picture as it is sent.

    Attributes:
        name: its file name; folders are dropped.
        data: the file's bytes.
        split: train, unless said.
        batch: name of what it came with.
        tags: words to find it by.
        metadata: texts, numbers and truth values by name.
    """

    name: str
    data: bytes
    split: Split = Split.TRAIN
    batch: str = DEFAULT_BATCH
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The picture's id, and whether the project had the picture already."""

    id: str
    is_duplicate: bool = False


def upload_picture(ports: Ports, workspace: str, project_slug: str, upload: Upload) -> Uploaded:
    """Keep a picture, unlabelled, once it is known to be whole; all is on disk when this returns.

    The same bytes again give the picture that is there: it stays in its split and gets the tags and metadata too. A PNG
    named as a mask of another picture becomes that one's label; see `held_masks.py`.

    Raises:
        NotFoundError: if there is no such project.
        InvalidInputError: if the picture is damaged, or a name, tag or metadata cannot be kept.
        ConflictError: if it is a mask and its picture has another label.
    """
    project = find_project(ports, workspace, project_slug)
    upload = _tidy(upload)
    mask = recognise_mask(upload.batch, upload.name, upload.data)
    if mask:
        picture_id = hold_or_attach(ports, project, mask)
        if picture_id:
            return Uploaded(picture_id)
    picture, is_new = _keep(ports, project, upload)
    stray = attach_held(ports, project, picture, upload.batch)
    if stray:
        _keep(ports, project, replace(upload, name=stray.name, data=stray.data, tags=(), metadata={}))
    return Uploaded(picture.id, is_duplicate=not is_new)


def _tidy(upload: Upload) -> Upload:
    return replace(
        upload,
        name=tidy_name(upload.name),
        batch=tidy_batch(upload.batch) or DEFAULT_BATCH,
        tags=tidy_tags(upload.tags),
        metadata=check_metadata(upload.metadata),
    )


def _keep(ports: Ports, project: Project, upload: Upload) -> tuple[Picture, bool]:
    """The picture as the project has it now, and whether it is new."""
    workspace, slug = project.workspace, project.slug
    image_sha256 = hashlib.sha256(upload.data).hexdigest()
    known = ports.store.find_image(workspace, slug, image_sha256)
    if known is None:
        picture = _make_picture(ports, upload, image_sha256)
        ports.blobs.put(upload.data)
        if ports.store.add_pictures(workspace, slug, [picture]):
            ports.store.touch_project(workspace, slug, ports.clock.now())
            return picture, True
        known = ports.store.find_image(workspace, slug, image_sha256)
    marked = known and _add_marks(ports, project, known, upload)
    if marked is None:
        raise NotFoundError(f"{upload.name}: was deleted at the moment it was uploaded; upload it again")
    return marked, False


def _make_picture(ports: Ports, upload: Upload, image_sha256: str) -> Picture:
    checked = check_picture(file_in_memory(UPLOAD, upload.name, upload.data))
    if isinstance(checked, Finding):
        kind = TooLargeError if checked.kind is Kind.TOO_LARGE else InvalidImageError
        raise kind(f"{upload.name}: {checked.reason}; {checked.remedy}")
    return Picture(
        name=upload.name,
        image_sha256=image_sha256,
        mask_sha256=None,
        split=upload.split,
        size=checked.shape.size,
        look=checked.look,
        id=make_picture_id(),
        batch=upload.batch,
        tags=upload.tags,
        metadata=upload.metadata,
        created=ports.clock.now(),
    )


def _add_marks(ports: Ports, project: Project, known: Picture, upload: Upload) -> Picture | None:
    """None if the picture is gone."""
    if not upload.tags and not upload.metadata:
        return known

    def change(now: Picture) -> Picture:
        metadata = check_metadata({**now.metadata, **upload.metadata})
        return replace(now, tags=tidy_tags((*now.tags, *upload.tags)), metadata=metadata)

    return ports.store.change_picture(project.workspace, known.id, change)
