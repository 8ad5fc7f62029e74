"""A project's health: what its pictures and labels lack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.core.class_map import BACKGROUND_ID

if TYPE_CHECKING:
    from datetime import datetime

    from atrous.workspace.ports import PictureCounts, PictureSizes, Ports
    from atrous.workspace.records import Project

# Below this share of the most frequent class's pictures, a class is seldom learned.
RARE = 0.1


@dataclass(frozen=True, slots=True)
class ClassShare:
    """A class, the pictures that show it, and their share of all labelled ones."""

    name: str
    pictures: int
    share: float
    is_rare: bool


@dataclass(frozen=True, slots=True)
class ProjectHealth:
    """What is known of a project without looking at its pictures.

    Attributes:
        project: the project.
        counts: its pictures.
        sizes: of its pictures.
        empty: labelled pictures that show background alone.
        classes: all but background.
        made: when this was found.
    """

    project: Project
    counts: PictureCounts
    sizes: PictureSizes
    empty: int
    classes: tuple[ClassShare, ...]
    made: datetime

    @property
    def labelled(self) -> int:
        """Pictures with a label."""
        return self.counts.total - self.counts.unlabelled


def check_health(ports: Ports, project: Project) -> ProjectHealth:
    """Count what there is and what is missing."""
    counts = ports.store.count_pictures(project.workspace, project.slug)
    sizes = ports.store.measure_pictures(project.workspace, project.slug)
    labelled = counts.total - counts.unlabelled
    return ProjectHealth(
        project=project,
        counts=counts,
        sizes=sizes,
        empty=labelled - sizes.with_objects,
        classes=_share_classes(project, counts, labelled),
        made=ports.clock.now(),
    )


def _share_classes(project: Project, counts: PictureCounts, labelled: int) -> tuple[ClassShare, ...]:
    shown = {
        name: counts.classes.get(class_id, 0)
        for class_id, name in enumerate(project.class_map.names)
        if class_id != BACKGROUND_ID
    }
    most = max(shown.values(), default=0)
    return tuple(
        ClassShare(name, pictures, pictures / labelled if labelled else 0.0, pictures < RARE * most)
        for name, pictures in shown.items()
    )
