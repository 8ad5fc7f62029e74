"""What two versions of a project differ in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from atrous.core.errors import InvalidInputError
from atrous.datasets.version_settings import describe_preprocessing, write_settings
from atrous.workspace.versions import find_version, list_content

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atrous.core.ids import VersionId
    from atrous.datasets.splits import Split
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Version
    from atrous.workspace.version_content import ContentPicture


@dataclass(frozen=True, slots=True)
class Move:
    """A picture that is in another split."""

    name: str
    before: Split
    after: Split


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that is another one; None where it was or is not there."""

    setting: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """How the second version differs from the first; pictures are the project's, whatever was made of them.

    Attributes:
        added, removed, relabelled: names of pictures, in order.
        kept: pictures that are in both.
        classes_added, classes_removed: names.
    """

    first: VersionId
    second: VersionId
    added: tuple[str, ...]
    removed: tuple[str, ...]
    relabelled: tuple[str, ...]
    moved: tuple[Move, ...]
    kept: int
    classes_added: tuple[str, ...]
    classes_removed: tuple[str, ...]
    settings: tuple[Change, ...]

    def as_json(self, limit: int | None = None) -> dict[str, Any]:
        """Plain values.

        Args:
            limit: of names in each list; the counts are of all.
        """
        moved = [{"name": one.name, "before": one.before.value, "after": one.after.value} for one in self.moved]
        lists: dict[str, Sequence[Any]] = {
            "added": self.added,
            "removed": self.removed,
            "relabelled": self.relabelled,
            "moved": moved,
        }
        return {
            "first": str(self.first),
            "second": str(self.second),
            "counts": {name: len(found) for name, found in lists.items()} | {"kept": self.kept},
            **{name: list(found[:limit]) for name, found in lists.items()},
            "classes": {"added": list(self.classes_added), "removed": list(self.classes_removed)},
            "settings": [{"setting": one.setting, "before": one.before, "after": one.after} for one in self.settings],
        }


def compare_versions(ports: Ports, workspace: str, first: VersionId, second: VersionId) -> VersionDiff:
    """Compare two versions of a project.

    Raises:
        NotFoundError: if one of them is not there.
        InvalidInputError: if they are of two projects.
        ConflictError: if one of them is not ready.
    """
    if first.project != second.project:
        raise InvalidInputError(f"{first} and {second}: are of two projects; compare versions of one")
    before, after = (find_version(ports, workspace, version_id) for version_id in (first, second))
    old, new = (_group(list_content(ports, version)) for version in (before, after))
    kept = [sha256 for sha256 in old if sha256 in new]
    return VersionDiff(
        first=first,
        second=second,
        added=_names(new[sha256] for sha256 in new.keys() - old.keys()),
        removed=_names(old[sha256] for sha256 in old.keys() - new.keys()),
        relabelled=_names(new[one] for one in kept if old[one].label_sha256 != new[one].label_sha256),
        moved=tuple(
            sorted(
                (
                    Move(new[one].name, old[one].split, new[one].split)
                    for one in kept
                    if old[one].split != new[one].split
                ),
                key=lambda move: move.name,
            )
        ),
        kept=len(kept),
        classes_added=_lacking(after.class_map.names, before.class_map.names),
        classes_removed=_lacking(before.class_map.names, after.class_map.names),
        settings=_compare_settings(before, after),
    )


def _group(pictures: Sequence[ContentPicture]) -> dict[str, ContentPicture]:
    """One of the pictures that were made of each of the project's."""
    return {picture.source_sha256: picture for picture in reversed(pictures)}


def _names(pictures: Iterator[ContentPicture]) -> tuple[str, ...]:
    return tuple(sorted(picture.name for picture in pictures))


def _lacking(names: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in set(others))


def _compare_settings(before: Version, after: Version) -> tuple[Change, ...]:
    old, new = (dict(_flatten(_settings_of(version))) for version in (before, after))
    keys = [*old, *(key for key in new if key not in old)]
    return tuple(Change(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key))


def _settings_of(version: Version) -> dict[str, Any]:
    """The steps; versions of old releases kept none but their preprocessing."""
    settings = version.settings or write_settings(describe_preprocessing(version.preprocessing))
    return {key: settings[key] for key in ("preprocessing", "augmentation")}


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flatten(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
