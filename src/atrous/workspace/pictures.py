"""Single pictures of projects: looking at them, changing what is said about them, taking them out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from atrous.core.errors import NotFoundError
from atrous.workspace.jobs import add_job
from atrous.workspace.picture_marks import check_metadata, tidy_tags
from atrous.workspace.records import JobKind, make_picture_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Job, Picture, Project


@dataclass(frozen=True, slots=True)
class PictureEdit:
    """A change of what is said about a picture; made twice, it changes nothing more.

    Attributes:
        metadata: set by name; other names stay.
        remove_metadata: names.
        add_tags: put at the end, unless they are there.
    """

    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    remove_metadata: Sequence[str] = ()
    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()

    def apply(self, picture: Picture) -> Picture:
        """The picture as it is afterwards.

        Raises:
            InvalidInputError: if a tag or an entry cannot be, or there would be too many.
        """
        kept = {name: value for name, value in picture.metadata.items() if name not in self.remove_metadata}
        tags = [tag for tag in picture.tags if tag not in self.remove_tags]
        return replace(
            picture, metadata=check_metadata({**kept, **self.metadata}), tags=tidy_tags([*tags, *self.add_tags])
        )


def find_picture(ports: Ports, workspace: str, picture_id: str, project: str | None = None) -> tuple[Project, Picture]:
    """A picture by its id, and its project.

    Raises:
        NotFoundError: if the workspace, or the project if one is named, has no such picture.
    """
    found = ports.store.find_picture(workspace, picture_id)
    if found is None or project not in {None, found[0].slug}:
        raise _missing(picture_id)
    return found


def edit_picture(ports: Ports, workspace: str, picture_id: str, edit: PictureEdit) -> None:
    """Change what is said about a picture.

    Raises:
        NotFoundError: if there is no such picture.
        InvalidInputError: if it cannot be said.
    """
    project, _ = find_picture(ports, workspace, picture_id)
    if ports.store.change_picture(workspace, picture_id, edit.apply) is None:
        raise _missing(picture_id)
    ports.store.touch_project(workspace, project.slug, ports.clock.now())


def request_edits(ports: Ports, workspace: str, edits: Sequence[tuple[str, PictureEdit]]) -> Job:
    """Have pictures changed by a worker, by their ids."""
    payload = {"edits": [{"picture": picture_id, "changes": asdict(edit)} for picture_id, edit in edits]}
    job_id = make_picture_id()
    return add_job(ports, JobKind.METADATA, workspace, job_id, payload, job_id=job_id)


def remove_pictures(ports: Ports, workspace: str, project: str, ids: Sequence[str]) -> int:
    """Take pictures out of a project; versions keep them. Gives how many there were.

    Raises:
        NotFoundError: if the project does not exist or has none of them.
    """
    removed = ports.store.remove_pictures(workspace, project, ids)
    if not removed:
        raise NotFoundError(f"project {project!r}: has none of these pictures; search lists the ids of those it has")
    ports.store.touch_project(workspace, project, ports.clock.now())
    return removed


def _missing(picture_id: str) -> NotFoundError:
    return NotFoundError(f"picture {picture_id[:64]!r}: does not exist; search lists the ids of those that do")
