"""Pictures as the clients read them, with links that open their files for a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from atrous.core.class_map import BACKGROUND_ID, VOID_ID
from atrous.server.signed_links import own_url, sign_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Picture, Project

LINK_KIND = "images"
FILE, LABEL, THUMBNAIL = "file", "label", "thumbnail"
MEDIA_TYPE = "image"
MS_PER_S = 1000
URL = "url"


class PictureUrls(BaseModel):
    """Links that need no key, for a day; `annotation` is the label as a grey PNG of class ids, if there is one."""

    original: str
    thumb: str
    annotation: str | None


class AnnotationShape(BaseModel):
    """A label: its size after EXIF rotation, and pixels by the name of their class, background left out."""

    width: int
    height: int
    classes: dict[str, int]
    mask: str


class PictureShape(BaseModel):
    """A picture; `created` is in milliseconds since 1970, null for pictures that came before times were kept."""

    id: str
    name: str
    mediaType: str
    project: str
    created: int | None
    split: str
    width: int
    height: int
    tags: list[str]
    labels: list[str]
    batch: str
    metadata: dict[str, Any]
    user_metadata: dict[str, Any]
    owner: str
    annotation: AnnotationShape | None
    urls: PictureUrls


def shape_picture(request: Request, ports: Ports, project: Project, picture: Picture) -> dict[str, Any]:
    """The values of a PictureShape. Asks the store, so not for the event loop."""
    kinds = (FILE, THUMBNAIL, LABEL)
    original, thumb, label = link_pictures(request, ports, [(project, picture, kind) for kind in kinds])
    told = describe_picture(project, picture)
    mask = label if picture.mask_sha256 else None
    names = ("id", "name", "mediaType", "project", "created", "split", "width", "height", "tags", "labels", "batch")
    return {
        **{name: told[name] for name in (*names, "metadata", "user_metadata", "owner")},
        "annotation": _shape_annotation(told, mask) if mask else None,
        "urls": {"original": original, "thumb": thumb, "annotation": mask},
    }


def select_fields(
    request: Request, ports: Ports, found: Sequence[tuple[Project, Picture]], fields: Sequence[str]
) -> list[dict[str, Any]]:
    """What is asked for of each picture; unknown fields are left out, `id` and `mediaType` are always there."""
    wanted = dict.fromkeys(("id", "mediaType", *fields))
    results = [_keep(describe_picture(project, picture), wanted) for project, picture in found]
    if URL in wanted:
        links = link_pictures(request, ports, [(*one, FILE) for one in found])
        for result, link in zip(results, links, strict=True):
            result[URL] = link
    return results


def describe_picture(project: Project, picture: Picture) -> dict[str, Any]:
    """All fields but links, under each name that clients know them by."""
    classes = _count_pixels(project, picture)
    is_labelled = picture.mask_sha256 is not None
    return {
        "id": picture.id,
        "name": picture.name,
        "filename": picture.name,
        "mediaType": MEDIA_TYPE,
        "project": project.slug,
        "projects": [project.slug],
        "owner": project.workspace,
        "created": round(picture.created.timestamp() * MS_PER_S) if picture.created else None,
        "split": picture.split.value,
        "width": picture.size.width,
        "height": picture.size.height,
        "tags": list(picture.tags),
        "labels": list(classes),
        "annotations": {"count": len(classes), "classes": classes} if is_labelled else None,
        "batch": picture.batch,
        "metadata": dict(picture.metadata),
        "user_metadata": dict(picture.metadata),
        "embedding": None,
    }


def link_pictures(request: Request, ports: Ports, wanted: Sequence[tuple[Project, Picture, str]]) -> list[str]:
    """Links to files of pictures, each `FILE`, `LABEL` or `THUMBNAIL`."""
    names = [f"{project.workspace}/{picture.id}/{kind}" for project, picture, kind in wanted]
    tokens = sign_all(ports, LINK_KIND, names)
    return [
        own_url(request, f"/platform/images/{picture.id}/{kind}?link={token}")
        for (_, picture, kind), token in zip(wanted, tokens, strict=True)
    ]


def _count_pixels(project: Project, picture: Picture) -> dict[str, int]:
    names = project.class_map.names
    return {
        names[class_id]: pixels
        for class_id, pixels in sorted(picture.class_pixels.items())
        if class_id not in {BACKGROUND_ID, VOID_ID} and class_id < len(names)
    }


def _shape_annotation(told: dict[str, Any], mask: str) -> dict[str, Any]:
    return {
        "width": told["width"],
        "height": told["height"],
        "classes": told["annotations"]["classes"],
        "mask": mask,
    }


def _keep(told: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in wanted if name in told}
