"""Projects, and what of them is in the trash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from atrous.core.class_map import ClassMap
    from atrous.workspace.records import Project


class ProjectStore(Protocol):
    """Projects. Those in the trash are found only where it says so."""

    def add_project(self, project: Project) -> None:
        """Keep a new project. Raises ConflictError if it exists, also in the trash."""
        ...

    def find_project(self, workspace: str, slug: str) -> Project | None:
        """The project, or None."""
        ...

    def list_projects(self, workspace: str, *, deleted: bool = False) -> list[Project]:
        """Oldest first; those in the trash alone if asked for."""
        ...

    def set_project(self, project: Project) -> None:
        """Replace all that is kept of a project, in the trash or not, but for its classes."""
        ...

    def touch_project(self, workspace: str, slug: str, when: datetime) -> None:
        """Record that a project's pictures or classes changed."""
        ...

    def set_class_map(self, workspace: str, slug: str, class_map: ClassMap) -> None:
        """Replace the project's class map."""
        ...

    def extend_classes(self, workspace: str, slug: str, names: Sequence[str]) -> ClassMap:
        """Add the names that the project lacks, at the end, and give all; callers at the same time see each other's.

        Raises ConflictError if there would be too many.
        """
        ...

    def remove_project(self, workspace: str, slug: str) -> None:
        """Forget a project with its pictures, versions, trainings, models and evaluations, for good."""
        ...


class TrashStore(Protocol):
    """What is in the trash, and what is back; nothing else of a row is written, as others may be writing it."""

    def set_project_deleted(self, workspace: str, slug: str, deleted: datetime | None) -> bool:
        """Say when a project was deleted, or that it was not; False if there is none."""
        ...

    def set_version_deleted(self, workspace: str, project: str, number: int, deleted: datetime | None) -> bool:
        """The same for a version."""
        ...
