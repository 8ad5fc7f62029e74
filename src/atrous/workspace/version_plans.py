"""A version before it is made: what it would be made of, and how."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from atrous.core.errors import NotFoundError
from atrous.core.sizes import Size
from atrous.datasets.splits import Split
from atrous.datasets.version_settings import Resize, choose_size, make_preprocessing, read_settings
from atrous.workspace.version_sources import Source, choose_pictures, keep_null_share, remap_classes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.core.class_map import ClassMap
    from atrous.datasets.version_settings import VersionSettings
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Picture, Project
    from atrous.workspace.version_sources import SourcePicture

TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class VersionPlan:
    """All that decides a version.

    Attributes:
        settings: complete, with notes on what was chosen or left out.
        class_map: the version's.
    """

    settings: VersionSettings
    class_map: ClassMap
    preprocessing: Preprocessing
    source: Source

    def expect_pictures(self) -> dict[Split, int]:
        """How many pictures the version will have, as far as that is known without looking at pixels."""
        tiles = self.settings.tiles.rows * self.settings.tiles.columns if self.settings.tiles else 1
        counts = Counter(picture.split for picture in self.source.pictures)
        counts[Split.TRAIN] *= self.settings.outputs if self.settings.augmentations else 1
        return {split: counts[split] * tiles for split in Split}


def plan_version(ports: Ports, workspace: str, project_slug: str, content: Mapping[str, Any]) -> VersionPlan:
    """Read settings and choose the pictures of a project as it is now.

    Raises:
        NotFoundError: if there is no such project.
        InvalidInputError: if the settings cannot be, or leave no labelled picture.
    """
    settings = read_settings(content)
    project, pictures = list_project_pictures(ports, workspace, project_slug)
    class_map, new_ids = remap_classes(project.class_map, settings.remap)
    chosen = choose_pictures(pictures, settings, new_ids)
    if settings.filter_null is not None and settings.tiles is None and all(one.class_ids is not None for one in chosen):
        chosen = tuple(keep_null_share(chosen, settings.filter_null, shows_class=_shows_class, key=_key))
    notes = list(settings.notes)
    unlabelled = sum(picture.mask_sha256 is None for picture in pictures)
    if unlabelled:
        notes.append(f"pictures without a label, which were left out: {unlabelled}")
    resize = settings.resize
    if resize is None:
        size = choose_size(_commonest_size(chosen))
        resize = Resize(size.width, size.height)
        notes.append(f"resize: was not given; 'Stretch to' {size} was chosen to suit the pictures")
    return VersionPlan(
        settings=replace(settings, resize=resize, notes=tuple(notes)),
        class_map=class_map,
        preprocessing=make_preprocessing(settings, resize),
        source=Source(chosen, new_ids, secrets.token_hex(TOKEN_BYTES)),
    )


def list_project_pictures(ports: Ports, workspace: str, slug: str) -> tuple[Project, Sequence[Picture]]:
    """A project and its pictures.

    Raises:
        NotFoundError: if this workspace has no such project.
    """
    if ports.store.find_project(workspace, slug) is None:
        raise missing_project(slug)
    # Pictures first: a class that comes meanwhile then only lacks its pictures, and none shows an unknown class.
    pictures = ports.store.list_pictures(workspace, slug)
    project = ports.store.find_project(workspace, slug)
    if project is None:
        raise missing_project(slug)
    return project, pictures


def missing_project(slug: str) -> NotFoundError:
    """What to say of a project that is not there."""
    return NotFoundError(f"project {slug!r}: does not exist; `atrous import PATH --project {slug}` makes it")


def _commonest_size(pictures: Iterable[SourcePicture]) -> Size:
    """The larger one of two that are as common."""
    counts = Counter((picture.size.height, picture.size.width) for picture in pictures)
    return Size(*max(counts, key=lambda shape: (counts[shape], shape)))


def _shows_class(picture: SourcePicture) -> bool:
    return bool(picture.class_ids)


def _key(picture: SourcePicture) -> str:
    return picture.image_sha256
