"""A look at a project as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atrous.bundle.picture import decode_grey_levels, decode_picture
from atrous.datasets.cross_checks import find_across
from atrous.datasets.facts import PictureFacts
from atrous.datasets.inspection import Inspection
from atrous.datasets.looks import compute_look
from atrous.datasets.parallel import map_in_threads
from atrous.datasets.pixel_counts import count_values, keep_present
from atrous.workspace.versions import find_project

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from atrous.core.class_map import ClassMap
    from atrous.workspace.ports import Blobs, Ports
    from atrous.workspace.records import Picture


@dataclass(frozen=True, slots=True)
class ProjectInspection:
    """What a look at a project gave.

    Attributes:
        load: gives image_HWC, BGR, and mask_HW of one of the inspection's pictures.
    """

    class_map: ClassMap
    inspection: Inspection
    load: Callable[[PictureFacts], tuple[NDArray[np.uint8], NDArray[np.uint8]]]


def inspect_project(ports: Ports, workspace: str, slug: str) -> ProjectInspection:
    """Check all labelled pictures of a project against each other.

    Raises:
        NotFoundError: if there is no such project.
    """
    project = find_project(ports, workspace, slug)
    pictures = ports.store.list_pictures(workspace, slug)
    labelled = [(picture, picture.mask_sha256) for picture in pictures if picture.mask_sha256 is not None]
    masks = {picture.image_sha256: mask_sha256 for picture, mask_sha256 in labelled}
    facts = list(map_in_threads(partial(_describe, blobs=ports.blobs), labelled))

    def load(picture: PictureFacts) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        image_HWC = decode_picture(ports.blobs.get(picture.image_sha256))
        return image_HWC, decode_grey_levels(ports.blobs.get(masks[picture.image_sha256]))

    findings = find_across(facts, project.class_map)
    return ProjectInspection(project.class_map, Inspection(tuple(facts), tuple(findings), ()), load)


def _describe(labelled: tuple[Picture, str], blobs: Blobs) -> PictureFacts:
    picture, mask_sha256 = labelled
    class_pixels, look = picture.class_pixels, picture.look
    if not class_pixels:  # of an import that did not count them yet
        counts = count_values(decode_grey_levels(blobs.get(mask_sha256)), 256)
        class_pixels = keep_present(counts)
        grey_HW = cv2.cvtColor(decode_picture(blobs.get(picture.image_sha256)), cv2.COLOR_BGR2GRAY)
        look = compute_look(np.asarray(grey_HW, np.uint8))
    return PictureFacts(picture.name, picture.split, picture.size, picture.image_sha256, look, class_pixels)
