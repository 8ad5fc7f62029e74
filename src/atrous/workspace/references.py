"""Which blobs rows name: the one place that knows, for backups and for the doctor."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atrous.core.errors import NotFoundError
from atrous.workspace.records import JobState
from atrous.workspace.zip_uploads import ARCHIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from atrous.workspace.ports import Blobs, Snapshot

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class References:
    """What rows name.

    Attributes:
        owners: sha256 of each blob -> what names it, for people; the first of several.
        contents: those of them that name further blobs.
        models: workspace and slug of each model folder.
    """

    owners: dict[str, str] = field(default_factory=dict[str, str])
    contents: dict[str, str] = field(default_factory=dict[str, str])
    models: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def collect_references(snapshot: Snapshot) -> References:
    """All blobs and model folders that the rows of all workspaces name, the trash included."""
    models = [(row["workspace"], row["slug"]) for row in snapshot.rows("models")]
    found = References(models=models)
    projects = {row["id"]: f"{row['workspace']}/{row['slug']}" for row in snapshot.rows("projects")}
    for table, list_named in NAMED_IN_ROWS.items():
        for row in snapshot.rows(table):
            owner = _describe(table, row, projects)
            for sha256 in filter(None, list_named(row)):
                found.owners.setdefault(sha256, owner)
                if table == "versions":
                    found.contents[sha256] = owner
    return found


def follow_contents(blobs: Blobs, references: References) -> tuple[dict[str, str], list[str]]:
    """The blobs that versions name inside their content, and the contents that cannot be read.

    Contents that are missing are left out: who looks for blobs misses them anyway.
    """
    owners: dict[str, str] = {}
    broken: list[str] = []
    for sha256, owner in references.contents.items():
        try:
            for named in list_named_in_content(blobs.get(sha256)):
                owners.setdefault(named, f"a picture of {owner}")
        except NotFoundError:
            continue
        except (ValueError, KeyError, TypeError, IndexError):
            broken.append(sha256)
    return owners, broken


def list_named_in_content(content: bytes) -> Iterator[str]:
    """The blobs named in what a version holds, or in what it is being made of.

    Raises:
        ValueError, KeyError, TypeError, IndexError: if it is neither.
    """
    read: Any = json.loads(content)
    # What a version is being made of lists name, image, mask and more of each picture.
    image, mask = (1, 2) if "token" in read else ("image", "mask")
    for picture in read["pictures"]:
        yield from filter(None, (picture[image], picture[mask]))


def _list_in_job(row: Row) -> Iterator[str]:
    # An export's zip; what jobs are yet to work on.
    for part in (row["result"], row["payload"]):
        yield part.get("sha256", "")
    # An import forgets its archive when it ends.
    if not JobState(row["state"]).is_final:
        yield row["progress"].get(ARCHIVE, "")


NAMED_IN_ROWS: Mapping[str, Callable[[Row], Iterator[str]]] = {
    "pictures": lambda row: iter((row["image_sha256"], row["mask_sha256"])),
    "held_masks": lambda row: iter((row["sha256"],)),
    "versions": lambda row: iter((row["content_sha256"], row["source_sha256"])),
    "evaluations": lambda row: iter((row["details_sha256"],)),
    "jobs": _list_in_job,
}


def _describe(table: str, row: Row, projects: Mapping[int, str]) -> str:
    project = projects.get(row.get("project_id", 0), "")
    match table:
        case "pictures":
            return f"picture {row['name']!r} of project {project}"
        case "held_masks":
            return f"mask {row['stem']!r} of project {project}, which waits for its picture"
        case "versions":
            return f"version {project}/{row['number']}"
        case "evaluations":
            return f"evaluation {row['id']} of model {row['workspace']}/{row['model']}"
        case _:
            return f"job {row['id']} ({row['kind']} {row['subject']})"
