"""A project as it grows during an import."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from atrous.bundle.picture import decode_grey_levels
from atrous.core.errors import ConflictError
from atrous.datasets.splits import SplitRule, Splittable, choose_splits
from atrous.workspace.records import Picture, Project

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.workspace.ports import Ports

BATCH = 64  # rows kept at once; what an interruption can lose is at most this many


class ImportTarget:
    """Rows are kept in batches, each after the blobs that it names."""

    def __init__(self, ports: Ports, workspace: str, slug: str, project: Project | None, class_map: ClassMap) -> None:
        self._ports = ports
        self._workspace = workspace
        self._slug = slug
        self._project = project
        self._class_map = class_map
        old = ports.store.list_pictures(workspace, slug) if project else []
        self._pictures = {picture.image_sha256: picture for picture in old}
        self._added: list[Picture] = []
        self._changed: dict[str, Picture] = {}
        # By image, the labels as this import knows them to be kept.
        self._masks = {picture.image_sha256: picture.mask_sha256 for picture in old}

    @property
    def pictures(self) -> Mapping[str, Picture]:
        """All pictures of the project by the sha256 of their image."""
        return self._pictures

    def now(self) -> datetime:
        """The time."""
        return self._ports.clock.now()

    def put(self, data: bytes) -> str:
        """Store a file and give its sha256; may be called from other threads."""
        return self._ports.blobs.put(data)

    def add(self, picture: Picture) -> None:
        """Keep a new picture, whose file and mask are stored already."""
        self._pictures[picture.image_sha256] = picture
        self._added.append(picture)
        if len(self._added) >= BATCH:
            self.flush()

    def replace(self, picture: Picture) -> None:
        """Change what is kept of a picture, whose mask is stored already."""
        self._pictures[picture.image_sha256] = picture
        self._changed[picture.image_sha256] = picture
        if len(self._changed) >= BATCH:
            self.flush()

    def count_changes(self, picture: Picture, mask_HW: NDArray[np.uint8]) -> int:
        """Pixels in which a label differs from the one that is kept; all of them if there is none of this size."""
        if picture.mask_sha256 is None:
            return mask_HW.size
        # Pixels, not bytes: encoders change over the years.
        kept_HW = decode_grey_levels(self._ports.blobs.get(picture.mask_sha256))
        return int(np.count_nonzero(kept_HW != mask_HW)) if kept_HW.shape == mask_HW.shape else mask_HW.size

    def flush(self) -> None:
        """Keep the rows of what is stored; the first ones bring the project and its new classes with them."""
        if self._added or self._changed:
            self._keep_project()
        added, self._added = self._added, []
        self._ports.store.add_pictures(self._workspace, self._slug, added)
        self._masks |= {picture.image_sha256: picture.mask_sha256 for picture in added}
        changed, self._changed = self._changed, {}
        if changed:
            change = partial(self._renew, changed=changed)
            self._ports.store.change_pictures(self._workspace, self._slug, list(changed), change)
            self._masks |= {image: picture.mask_sha256 for image, picture in changed.items()}

    def _renew(self, now: Picture, changed: Mapping[str, Picture]) -> Picture:
        """What this import says of a picture, beside what others said of it meanwhile; their label wins."""
        new = changed[now.image_sha256]
        tags = tuple(dict.fromkeys((*now.tags, *new.tags)))
        settled = replace(now, split=new.split, pending=new.pending, tags=tags)
        if now.mask_sha256 != self._masks.get(now.image_sha256):
            return settled
        return replace(
            settled,
            mask_sha256=new.mask_sha256,
            class_pixels=new.class_pixels,
            look=new.look,
            source_sha256=new.source_sha256,
        )

    def settle_splits(self) -> dict[SplitRule, int]:
        """Choose the splits that are yet to be chosen, now that all pictures are known; tell how many by rule."""
        # Read back: an import that was killed left pictures whose splits are still to be chosen.
        pending = [picture for picture in self._pictures.values() if picture.pending]
        settled = [
            (describe_for_split(picture), picture.split) for picture in self._pictures.values() if not picture.pending
        ]
        counts: dict[SplitRule, int] = {}
        for rule in SplitRule:
            of_rule = [picture for picture in pending if picture.pending is rule]
            if not of_rule:
                continue
            splits = choose_splits([describe_for_split(picture) for picture in of_rule], rule, settled)
            for picture in of_rule:
                self.replace(replace(picture, split=splits[picture.image_sha256], pending=None))
            counts[rule] = len(of_rule)
        return counts

    def _keep_project(self) -> None:
        if self._project is None:
            self._project = Project(self._workspace, self._slug, self._class_map, self._ports.clock.now())
            self._ports.store.add_project(self._project)
        elif self._project.class_map != self._class_map:
            new = self._class_map.names[len(self._project.class_map) :]
            if self._ports.store.extend_classes(self._workspace, self._slug, new) != self._class_map:
                raise ConflictError(f"project {self._slug!r}: its classes changed meanwhile; run the import again")
            self._project = replace(self._project, class_map=self._class_map)
        self._ports.store.touch_project(self._workspace, self._slug, self.now())


def describe_for_split(picture: Picture) -> Splittable:
    """What choosing a split needs to know of a picture."""
    return Splittable(picture.name, picture.image_sha256, frozenset(picture.class_pixels))
