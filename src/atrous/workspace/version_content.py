"""What a version holds, as canonical JSON whose hash names it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from atrous.bundle.contrast import Contrast
from atrous.bundle.preprocessing import Fit, Preprocessing
from atrous.bundle.regions import StaticCrop, Tiles
from atrous.core.errors import StorageError
from atrous.core.sizes import Size
from atrous.datasets.content import Stage
from atrous.datasets.splits import Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from atrous.core.class_map import ClassMap
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Version


@dataclass(frozen=True, slots=True)
class ContentPicture:
    """One picture of a version.

    Attributes:
        size: of its mask.
        stage: how far it is prepared.
        origin: sha256 of the project's picture that it was made of; empty if it is that picture.
        label: sha256 of that picture's mask in the project; empty if it is this mask.
    """

    name: str
    image_sha256: str
    mask_sha256: str
    split: Split
    size: Size
    stage: Stage = Stage.ORIGINAL
    origin: str = ""
    label: str = ""

    @property
    def source_sha256(self) -> str:
        """The project's picture."""
        return self.origin or self.image_sha256

    @property
    def label_sha256(self) -> str:
        """The project's mask."""
        return self.label or self.mask_sha256

    def as_json(self) -> dict[str, Any]:
        """Plain values; what is as in the first versions leaves no trace, so that these keep their hashes."""
        content: dict[str, Any] = {
            "name": self.name,
            "image": self.image_sha256,
            "mask": self.mask_sha256,
            "split": self.split.value,
            "width": self.size.width,
            "height": self.size.height,
        }
        if self.stage is not Stage.ORIGINAL:
            content |= {"stage": self.stage.value, "source": self.origin}
        if self.label:
            content["label"] = self.label
        return content


def read_content_picture(content: Mapping[str, Any]) -> ContentPicture:
    """Read what `ContentPicture.as_json` gave."""
    return ContentPicture(
        name=content["name"],
        image_sha256=content["image"],
        mask_sha256=content["mask"],
        split=Split(content["split"]),
        size=Size(height=content["height"], width=content["width"]),
        stage=Stage(content.get("stage", Stage.ORIGINAL)),
        origin=content.get("source", ""),
        label=content.get("label", ""),
    )


def write_content(class_map: ClassMap, preprocessing: Preprocessing, pictures: Iterable[ContentPicture]) -> bytes:
    """The canonical JSON."""
    content = {
        "classes": list(class_map.names),
        "preprocessing": write_preprocessing(preprocessing),
        "pictures": [picture.as_json() for picture in pictures],
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_content(ports: Ports, version: Version) -> list[ContentPicture]:
    """The pictures of a ready version, in the order that its hash was made of.

    Raises:
        StorageError: if the content no longer has the version's hash.
    """
    content = ports.blobs.get(version.content_sha256)
    if hashlib.sha256(content).hexdigest() != version.content_sha256:
        raise StorageError(f"version {version.id}: its content was altered on disk; restore it from a backup")
    return [read_content_picture(picture) for picture in json.loads(content)["pictures"]]


def write_preprocessing(preprocessing: Preprocessing) -> dict[str, Any]:
    """Plain values of a preprocessing, for hashing and keeping.

    A step that is not taken leaves no trace, so that versions made before there were such steps keep their hashes.
    """
    content: dict[str, Any] = {
        "width": preprocessing.size.width,
        "height": preprocessing.size.height,
        "fit": preprocessing.fit.value,
        "auto_orient": preprocessing.auto_orient,
        "mean_RGB": list(preprocessing.mean_RGB),
        "std_RGB": list(preprocessing.std_RGB),
    }
    if preprocessing.crop:
        content["crop"] = list(astuple(preprocessing.crop))
    if preprocessing.tiles:
        content["tiles"] = list(astuple(preprocessing.tiles))
    if preprocessing.grayscale:
        content["grayscale"] = True
    if preprocessing.contrast:
        content["contrast"] = preprocessing.contrast.value
    return content


def read_preprocessing(content: dict[str, Any]) -> Preprocessing:
    """Read what `write_preprocessing` gave."""
    return Preprocessing(
        size=Size(height=content["height"], width=content["width"]),
        fit=Fit(content["fit"]),
        auto_orient=content["auto_orient"],
        mean_RGB=tuple(content["mean_RGB"]),
        std_RGB=tuple(content["std_RGB"]),
        crop=StaticCrop(*content["crop"]) if "crop" in content else None,
        tiles=Tiles(*content["tiles"]) if "tiles" in content else None,
        grayscale=content.get("grayscale", False),
        contrast=Contrast(content["contrast"]) if "contrast" in content else None,
    )
