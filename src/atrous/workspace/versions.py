"""Versions: immutable, numbered, named by the hash of their content."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from atrous.bundle.contrast import Contrast
from atrous.bundle.preprocessing import Fit, Preprocessing
from atrous.bundle.regions import StaticCrop
from atrous.core.errors import InvalidInputError, NotFoundError, StorageError
from atrous.core.sizes import Size
from atrous.datasets.content import Sample
from atrous.datasets.splits import Split
from atrous.workspace.records import Version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atrous.core.class_map import ClassMap
    from atrous.core.ids import VersionId
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Picture, Project


def create_version(ports: Ports, workspace: str, project_slug: str, preprocessing: Preprocessing) -> Version:
    """Freeze a project's pictures, labels, splits and preprocessing under the next number.

    Raises:
        NotFoundError: if there is no such project.
        InvalidInputError: if it has no pictures.
    """
    project = find_project(ports, workspace, project_slug)
    pictures = ports.store.list_pictures(workspace, project_slug)
    if not pictures:
        raise InvalidInputError(f"project {project_slug!r}: has no pictures; import some first")
    content = _canonical_content(project.class_map, preprocessing, pictures)
    content_sha256 = ports.blobs.put(content)
    counts = Counter(picture.split for picture in pictures)
    created = ports.clock.now()

    def make(number: int) -> Version:
        return Version(
            workspace=workspace,
            project=project_slug,
            number=number,
            content_sha256=content_sha256,
            class_map=project.class_map,
            preprocessing=preprocessing,
            pictures={split: counts[split] for split in Split},
            created=created,
        )

    return ports.store.add_version(make, workspace, project_slug)


def find_project(ports: Ports, workspace: str, slug: str) -> Project:
    """Find a project by its slug.

    Raises:
        NotFoundError: if this workspace has no such project.
    """
    project = ports.store.find_project(workspace, slug)
    if project is None:
        raise NotFoundError(f"project {slug!r}: does not exist; `atrous import PATH --project {slug}` makes it")
    return project


def find_version(ports: Ports, workspace: str, version_id: VersionId) -> Version:
    """Find a version by its id.

    Raises:
        NotFoundError: if this workspace has no such version.
    """
    version = ports.store.find_version(workspace, version_id.project, version_id.number)
    if version is None:
        raise NotFoundError(
            f"version {version_id}: does not exist; `atrous version create {version_id.project}` makes one"
        )
    return version


def list_samples(ports: Ports, version: Version) -> tuple[Sample, ...]:
    """The version's pictures and masks as local files, in the order that its hash was made of.

    Raises:
        StorageError: if the content no longer has the version's hash.
        NotFoundError: if a picture or mask is missing from the store.
    """
    content = ports.blobs.get(version.content_sha256)
    if hashlib.sha256(content).hexdigest() != version.content_sha256:
        raise StorageError(f"version {version.id}: its content was altered on disk; restore it from a backup")
    return tuple(
        Sample(
            name=picture["name"],
            image_path=ports.blobs.path(picture["image"]),
            mask_path=ports.blobs.path(picture["mask"]),
            split=Split(picture["split"]),
        )
        for picture in json.loads(content)["pictures"]
    )


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
        grayscale=content.get("grayscale", False),
        contrast=Contrast(content["contrast"]) if "contrast" in content else None,
    )


def _canonical_content(class_map: ClassMap, preprocessing: Preprocessing, pictures: Sequence[Picture]) -> bytes:
    content = {
        "classes": list(class_map.names),
        "preprocessing": write_preprocessing(preprocessing),
        "pictures": [
            {
                "name": picture.name,
                "image": picture.image_sha256,
                "mask": picture.mask_sha256,
                "split": picture.split.value,
                "width": picture.size.width,
                "height": picture.size.height,
            }
            for picture in pictures
        ],
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
