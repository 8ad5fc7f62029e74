"""One picture and its label on the way into a project."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2

from atrous.datasets.files.tree import UnreadableFileError
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.labels import LabelledPicture, digest_source, load_labelled_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy import uint8
    from numpy.typing import NDArray

    from atrous.datasets.class_mapping import ClassMapping
    from atrous.datasets.fixes import Fixes
    from atrous.datasets.source import SourceItem


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPair:
    """A pair that is good; unless the project has the picture, its file and mask are stored."""

    labelled: LabelledPicture
    image_sha256: str
    mask_sha256: str
    source_sha256: str


@dataclass(frozen=True, slots=True)
class UnchangedPair:
    """A pair that is in the project as it is here."""

    image_sha256: str


def prepare_pair(
    item: SourceItem,
    mapping: ClassMapping,
    *,
    fixes: Fixes,
    overwrite: bool,
    known: Mapping[str, str],
    put: Callable[[bytes], str],
) -> PreparedPair | UnchangedPair | Finding:
    """Look at a pair and store it; nearly all of the work of an import.

    Args:
        item: the pair.
        mapping: from the source's values to our ids.
        fixes: remedies to apply.
        overwrite: whether a picture that is known may get another label.
        known: of the project's pictures, the sha256 of the image -> that of all that was said about it.
        put: stores bytes and gives their sha256; called from several threads.

    Raises:
        StorageError: if the disk refuses.
    """
    name = item.image.name
    if not _is_utf8(name):
        shown = os.fsencode(name).decode(errors="replace")
        return Finding(Kind.UNREADABLE, shown, "has a name that is not UTF-8", "rename it")
    try:
        if known:
            image_sha256 = hashlib.sha256(item.image.read()).hexdigest()
            source_sha256 = digest_source(item, image_sha256, mapping, fixes)
            if known.get(image_sha256) == source_sha256:
                return UnchangedPair(image_sha256)
        labelled = load_labelled_picture(item, mapping, fixes)
        if isinstance(labelled, Finding):
            return labelled
        image_sha256 = hashlib.sha256(labelled.image).hexdigest()
        source_sha256 = digest_source(item, image_sha256, mapping, fixes)
    except UnreadableFileError as error:
        return Finding(Kind.UNREADABLE, name, str(error), "check that it and its label exist and may be read")
    mask = encode_mask(labelled.mask_HW)
    if image_sha256 in known and not overwrite:
        return PreparedPair(labelled, image_sha256, hashlib.sha256(mask).hexdigest(), source_sha256)
    put(labelled.image)
    return PreparedPair(replace(labelled, image=b""), image_sha256, put(mask), source_sha256)


def _is_utf8(name: str) -> bool:
    # The system hands over bytes that are no UTF-8 as lone surrogates.
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def encode_mask(mask_HW: NDArray[uint8]) -> bytes:
    """A mask as the PNG that is kept of it."""
    encoded, data = cv2.imencode(".png", mask_HW)
    if not encoded:
        raise AssertionError("an 8-bit grey array can always be encoded")
    return data.tobytes()
