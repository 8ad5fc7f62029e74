"""Pictures of projects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from atrous.datasets.splits import Split
    from atrous.workspace.records import AnnotationJob, HeldMask, Picture, Project
    from atrous.workspace.search import Search


@dataclass(frozen=True, slots=True)
class PictureCounts:
    """Pictures of a project.

    Attributes:
        splits: how many by split; splits without pictures are left out.
        unlabelled: how many have no label.
        classes: class id -> how many show it.
    """

    splits: dict[Split, int]
    unlabelled: int
    classes: dict[int, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.splits.values())


@dataclass(frozen=True, slots=True)
class PictureSizes:
    """Sizes of a project's pictures, in pixels; zeros without pictures.

    Attributes:
        mean_width: over all pictures.
        mean_height: over all pictures.
        median_ratio: of width to height.
        with_objects: how many show a class besides background.
    """

    mean_width: float
    mean_height: float
    median_ratio: float
    with_objects: int


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """Pictures that came under one name; `created` is when the first of them did."""

    name: str
    pictures: int
    unlabelled: int
    created: datetime | None


class PictureStore(Protocol):
    """Pictures of projects."""

    def add_pictures(self, workspace: str, project: str, pictures: Sequence[Picture]) -> int:
        """Keep pictures whose image is not in the project yet; give how many were new."""
        ...

    def update_pictures(self, workspace: str, project: str, pictures: Sequence[Picture]) -> None:
        """Replace all that is kept of pictures but their ids; they are found in the project by their image."""
        ...

    def change_picture(self, workspace: str, picture_id: str, change: Callable[[Picture], Picture]) -> Picture | None:
        """Replace all that is kept of a picture but its id by what `change` makes of it; None if there is none.

        Nobody else changes it meanwhile, so nothing of what others wrote is lost.
        """
        ...

    def change_pictures(
        self, workspace: str, project: str, images: Sequence[str], change: Callable[[Picture], Picture]
    ) -> None:
        """The same for pictures of a project, all or none, found by their images; those that are gone stay so."""
        ...

    def remove_pictures(self, workspace: str, project: str, ids: Sequence[str]) -> int:
        """Take pictures out of a project; give how many were there."""
        ...

    def list_pictures(self, workspace: str, project: str) -> list[Picture]:
        """In order of name, then of image hash."""
        ...

    def find_picture(self, workspace: str, picture_id: str) -> tuple[Project, Picture] | None:
        """A picture by its id, in whichever project of the workspace it is."""
        ...

    def find_image(self, workspace: str, project: str, image_sha256: str) -> Picture | None:
        """A picture by its image."""
        ...

    def list_named(self, workspace: str, project: str, names: Sequence[str]) -> list[Picture]:
        """The pictures that have one of these names, of which there may be at most a few hundred; oldest first."""
        ...

    def count_pictures(self, workspace: str, project: str) -> PictureCounts:
        """How many there are, without looking at each."""
        ...

    def measure_pictures(self, workspace: str, project: str) -> PictureSizes:
        """How large they are, and how many show an object."""
        ...

    def search_pictures(self, workspace: str, search: Search) -> tuple[list[tuple[Project, Picture]], int]:
        """A page of what is searched for, and how many there are in all."""
        ...

    def list_batches(self, workspace: str, project: str) -> list[BatchCounts]:
        """The named batches, oldest first."""
        ...

    def hold_mask(self, workspace: str, project: str, mask: HeldMask) -> None:
        """Keep a mask until its picture comes; a newer one of the same name replaces it."""
        ...

    def find_held_mask(self, workspace: str, project: str, batch: str, stem: str) -> HeldMask | None:
        """A mask that waits, or None."""
        ...

    def take_mask(self, workspace: str, project: str, batch: str, stem: str) -> HeldMask | None:
        """Give and forget a mask."""
        ...

    def list_held_masks(self, workspace: str, project: str) -> list[HeldMask]:
        """Oldest first."""
        ...

    def add_annotation_job(self, job: AnnotationJob) -> None:
        """Keep a new annotation job."""
        ...

    def list_annotation_jobs(self, workspace: str, project: str) -> list[AnnotationJob]:
        """Oldest first."""
        ...
