"""The pictures that a version is made of, as its project held them when it was asked for."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import orjson

from atrous.core.class_map import BACKGROUND, BACKGROUND_ID, VOID_ID, ClassMap
from atrous.core.errors import InvalidInputError
from atrous.core.sizes import Size
from atrous.datasets.splits import Split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from atrous.datasets.version_settings import TagFilter, VersionSettings
    from atrous.workspace.records import Picture


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class SourcePicture:
    """A labelled picture of a project.

    Attributes:
        class_ids: the version's ids that its mask shows, background and void left out; None if that is not known.
    """

    name: str
    image_sha256: str
    mask_sha256: str
    split: Split
    size: Size
    class_ids: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Source:
    """What a version is made of.

    Attributes:
        new_ids: the version's class id by the project's; None if they are the same.
        token: makes each source a blob of its own, to be removed once its version is ready.
    """

    pictures: tuple[SourcePicture, ...]
    new_ids: tuple[int, ...] | None
    token: str


def write_source(source: Source) -> bytes:
    """A source as the content of a blob."""
    rows = [
        [one.name, one.image_sha256, one.mask_sha256, one.split, one.size.height, one.size.width, one.class_ids]
        for one in source.pictures
    ]
    return orjson.dumps({"pictures": rows, "new_ids": source.new_ids, "token": source.token})


def read_source(data: bytes) -> Source:
    """Read what `write_source` gave."""
    content = orjson.loads(data)
    pictures = tuple(
        SourcePicture(
            name=name,
            image_sha256=image,
            mask_sha256=mask,
            split=Split(split),
            size=Size(height=height, width=width),
            class_ids=None if ids is None else tuple(ids),
        )
        for name, image, mask, split, height, width, ids in content["pictures"]
    )
    new_ids = content["new_ids"]
    return Source(pictures, None if new_ids is None else tuple(new_ids), content["token"])


def remap_classes(
    class_map: ClassMap, remap: Sequence[tuple[str, str | None]]
) -> tuple[ClassMap, tuple[int, ...] | None]:
    """Rename, merge and drop classes.

    Args:
        class_map: the project's.
        remap: class name -> the name it gets; None or `background` makes it background.

    Returns:
        The version's classes, and its ids by the project's; None where nothing changes.

    Raises:
        InvalidInputError: if it names no class, or no class is left.
    """
    if not remap:
        return class_map, None
    renamed = dict(remap)
    strays = [name for name in renamed if name not in class_map.names[1:]]
    if strays:
        raise InvalidInputError(
            f"preprocessing.remap: {strays[0]!r} is no class that can be changed; these are "
            f"{', '.join(map(repr, class_map.names[1:])) or 'none'}"
        )
    targets = [renamed.get(name, name) or BACKGROUND for name in class_map.names]
    kept = dict.fromkeys(name for name in targets if name != BACKGROUND)
    if not kept:
        raise InvalidInputError("preprocessing.remap: leaves no class; keep at least one")
    new_map = ClassMap((BACKGROUND, *kept))
    ids = {name: class_id for class_id, name in enumerate(new_map.names)}
    new_ids = tuple(ids[name] for name in targets)
    return new_map, None if new_ids == tuple(range(len(targets))) else new_ids


def choose_pictures(
    pictures: Iterable[Picture], settings: VersionSettings, new_ids: Sequence[int] | None
) -> tuple[SourcePicture, ...]:
    """The labelled pictures that the settings let through, in their order; `keep_null_share` comes later.

    Raises:
        InvalidInputError: if none is left.
    """
    labelled = [picture for picture in pictures if picture.mask_sha256 is not None]
    if not labelled:
        raise InvalidInputError("the project has no pictures with a label; import or label some first")
    tagged = [picture for picture in labelled if _passes(settings.filter_tag, picture.tags)]
    chosen = _sample(tagged, settings.random_sample)
    if not chosen:
        raise InvalidInputError("preprocessing: its filters leave no picture; loosen filter-tag or random-sample")
    return tuple(_describe(picture, new_ids) for picture in chosen)


def keep_null_share(
    items: Sequence[Item],
    percent: float,
    *,
    shows_class: Callable[[Item], bool],
    key: Callable[[Item], str],
) -> list[Item]:
    """Drop as many items without a class as it takes for the others to be a share of all; which, hashes decide.

    Raises:
        InvalidInputError: if nothing is left.
    """
    is_shown = [shows_class(item) for item in items]
    shown = sum(is_shown)
    room = len(items) - shown if not percent else math.floor(shown * (100 - percent) / percent)
    nulls = sorted((_rank("filter-null", key(item)), at) for at, item in enumerate(items) if not is_shown[at])
    kept = {at for _, at in nulls[:room]}
    left = [item for at, item in enumerate(items) if is_shown[at] or at in kept]
    if not left:
        raise InvalidInputError("preprocessing.filter-null: leaves no picture, since none shows a class; leave it out")
    return left


def _passes(tags: TagFilter | None, found: Sequence[str]) -> bool:
    return tags is None or (set(tags.wanted) <= set(found) and not set(tags.unwanted) & set(found))


def _sample(pictures: list[Picture], percent: float | None) -> list[Picture]:
    """A share of each split; of a split that has any picture, at least one."""
    if percent is None:
        return pictures
    chosen: set[str] = set()
    for split in Split:
        ranked = sorted(_rank("random-sample", one.image_sha256) for one in pictures if one.split is split)
        chosen.update(ranked[: math.ceil(len(ranked) * percent / 100)])
    return [picture for picture in pictures if _rank("random-sample", picture.image_sha256) in chosen]


def _rank(salt: str, name: str) -> str:
    """Chance that each picture has of its own, whatever other pictures there are."""
    return hashlib.sha256(f"{salt} {name}".encode()).hexdigest()


def _describe(picture: Picture, new_ids: Sequence[int] | None) -> SourcePicture:
    shown = {
        class_id if new_ids is None else new_ids[class_id] for class_id in picture.class_pixels if class_id < VOID_ID
    }
    return SourcePicture(
        name=picture.name,
        image_sha256=picture.image_sha256,
        mask_sha256=picture.mask_sha256 or "",
        split=picture.split,
        size=picture.size,
        # Pictures of old imports were never counted; an empty label still has pixels of background or void.
        class_ids=tuple(sorted(shown - {BACKGROUND_ID})) if picture.class_pixels else None,
    )
