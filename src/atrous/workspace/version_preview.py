"""A look at what a version would hold, before it is made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from atrous.core.errors import InvalidInputError
from atrous.datasets.content import Stage
from atrous.datasets.drawing import draw_label
from atrous.datasets.splits import Split
from atrous.runtime.overlay import draw_overlay
from atrous.runtime.png import encode_grey_png
from atrous.workspace.version_pictures import PictureMaker, encode_image
from atrous.workspace.version_plans import plan_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from atrous.core.class_map import ClassMap
    from atrous.workspace.ports import Ports
    from atrous.workspace.version_pictures import MadePicture
    from atrous.workspace.version_sources import Source, SourcePicture

MAX_PREVIEWS = 16
MAX_PIXELS = 64_000_000


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture as a version's network would see it.

    Attributes:
        image: a JPEG, its label drawn over it and void striped.
        mask: a grey PNG of the version's class ids.
    """

    name: str
    image: bytes
    mask: bytes


def preview(ports: Ports, workspace: str, project: str, settings: Mapping[str, Any], count: int) -> list[Preview]:
    """Show some pictures after all steps; of each picture, all tiles and outputs that there is room for.

    Training pictures come first, as they alone are varied. What is made later has the same pixels. The null filter is
    left out where it would look at tiles.

    Args:
        ports: the world.
        workspace: owner of the project.
        project: the project.
        settings: in the form of `datasets/version_settings.py`.
        count: how many at most, from 1 to 16.

    Raises:
        NotFoundError: if there is no such project.
        InvalidInputError: if the settings cannot be, leave no labelled picture, or ask for too many pixels.
    """
    plan = plan_version(ports, workspace, project, settings)
    if not 1 <= count <= MAX_PREVIEWS:
        raise InvalidInputError(f"count: is {count}; ask for 1 to {MAX_PREVIEWS} previews")
    if count * plan.preprocessing.size.pixels > MAX_PIXELS:
        raise InvalidInputError(f"count: {count} previews of {plan.preprocessing.size} are too much; ask for fewer")
    maker = PictureMaker(ports, plan.settings, plan.preprocessing, plan.source)
    return [_draw(made, name, plan.class_map) for name, made in islice(_make(maker), count)]


def _make(maker: PictureMaker) -> Iterator[tuple[str, MadePicture]]:
    for picture in _order(maker.source):
        for made in maker.make(picture):
            pair = made.image_HWC, made.mask_HW
            fitted = pair if made.stage is Stage.PREPARED else maker.fit(pair)
            yield f"{PurePosixPath(picture.name).stem}{made.ending}", type(made)(made.ending, *fitted, Stage.PREPARED)


def _order(source: Source) -> list[SourcePicture]:
    """Training pictures, then others; in no other order, but the same each time."""
    return sorted(
        source.pictures,
        key=lambda one: (one.split is not Split.TRAIN, hashlib.sha256(one.image_sha256.encode()).digest()),
    )


def _draw(made: MadePicture, name: str, class_map: ClassMap) -> Preview:
    drawn_HWC = draw_label(made.image_HWC, made.mask_HW, partial(draw_overlay, class_map=class_map))
    return Preview(name, encode_image(drawn_HWC, lossless=False), encode_grey_png(made.mask_HW))
