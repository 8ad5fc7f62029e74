"""Versions without pictures, for models that were trained elsewhere and come without their dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrous.core.errors import InvalidInputError
from atrous.core.ids import check_slug
from atrous.datasets.splits import Split
from atrous.datasets.version_settings import describe_preprocessing, write_settings
from atrous.workspace.records import Project, Version
from atrous.workspace.version_content import write_content

if TYPE_CHECKING:
    from atrous.bundle.preprocessing import Preprocessing
    from atrous.core.class_map import ClassMap
    from atrous.workspace.ports import Ports

SHOWN_LENGTH = 300


def create_bare_version(
    ports: Ports, workspace: str, project_slug: str, class_map: ClassMap, preprocessing: Preprocessing
) -> Version:
    """Freeze classes and the preparation of pictures under the next number; the project is made if it is not there.

    Raises:
        InvalidInputError: if the slug is none, or the project has other classes.
    """
    project = ports.store.find_project(workspace, project_slug)
    if project is None:
        slug = check_slug(project_slug, "project")
        ports.store.add_project(Project(workspace, slug, class_map, ports.clock.now(), name=slug))
    elif project.class_map != class_map:
        raise InvalidInputError(
            f"project {project_slug!r}: has other classes, {', '.join(project.class_map.names)[:SHOWN_LENGTH]}; "
            "choose another project, or name these"
        )
    content_sha256 = ports.blobs.put(write_content(class_map, preprocessing, []))
    created = ports.clock.now()

    def make(number: int) -> Version:
        return Version(
            workspace=workspace,
            project=project_slug,
            number=number,
            content_sha256=content_sha256,
            class_map=class_map,
            preprocessing=preprocessing,
            pictures=dict.fromkeys(Split, 0),
            created=created,
            settings=write_settings(describe_preprocessing(preprocessing)),
        )

    return ports.store.add_version(make, workspace, project_slug)
