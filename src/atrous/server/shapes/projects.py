"""A project as the clients read it; they fail where a key is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from atrous.core.class_map import BACKGROUND_ID
from atrous.datasets.splits import Split
from atrous.runtime.overlay import class_colours_BGR
from atrous.workspace.projects import PROJECT_TYPE

if TYPE_CHECKING:
    from atrous.core.class_map import ClassMap
    from atrous.workspace.projects import ProjectFacts


class SplitCounts(BaseModel):
    """Pictures by split."""

    train: int
    valid: int
    test: int


class ProjectShape(BaseModel):
    """A project.

    `id` is `workspace/project`; `annotation` is what its objects are called as a whole; `classes` tells how many
    pictures show each, background left out; `colors` are `#rrggbb`; `created` and `updated` are seconds since 1970.
    """

    id: str
    name: str
    type: str
    annotation: str
    classes: dict[str, int]
    colors: dict[str, str]
    created: float
    updated: float
    images: int
    unannotated: int
    splits: SplitCounts
    public: bool
    multilabel: bool
    versions: int
    license: str


class WorkspaceShape(BaseModel):
    """A workspace by its slug; it has no people of its own, so `members` is empty."""

    name: str
    url: str
    members: list[str]


def shape_project(facts: ProjectFacts) -> dict[str, Any]:
    """The values of a ProjectShape."""
    project, counts = facts.project, facts.counts
    name = project.name or project.slug
    return {
        "id": f"{project.workspace}/{project.slug}",
        "name": name,
        "type": PROJECT_TYPE,
        "annotation": project.annotation or name,
        "classes": {
            class_name: counts.classes.get(class_id, 0)
            for class_id, class_name in enumerate(project.class_map.names)
            if class_id != BACKGROUND_ID
        },
        "colors": shape_colours(project.class_map),
        "created": project.created.timestamp(),
        "updated": (project.updated or project.created).timestamp(),
        "images": counts.total,
        "unannotated": counts.unlabelled,
        "splits": {split.value: counts.splits.get(split, 0) for split in Split},
        "public": False,
        "multilabel": False,
        "versions": facts.versions,
        "license": project.license,
    }


def shape_workspace(slug: str) -> dict[str, Any]:
    """The values of a WorkspaceShape."""
    return {"name": slug, "url": slug, "members": []}


def shape_colours(class_map: ClassMap) -> dict[str, str]:
    """The colours of classes, background left out, as overlays have them."""
    colours = class_colours_BGR(len(class_map))
    return {
        name: f"#{red:02x}{green:02x}{blue:02x}"
        for class_id, (name, (blue, green, red)) in enumerate(zip(class_map.names, colours.tolist(), strict=True))
        if class_id != BACKGROUND_ID
    }
