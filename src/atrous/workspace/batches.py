"""Batches: pictures that came together under one name."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.core.errors import NotFoundError
from atrous.workspace.versions import find_project

if TYPE_CHECKING:
    from atrous.workspace.ports import BatchCounts, Ports

ID_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch; `waiting_masks` were uploaded for pictures that have not come yet."""

    id: str
    counts: BatchCounts
    waiting_masks: int


def make_batch_id(name: str) -> str:
    """The id of a batch, which is always the same for a name."""
    return hashlib.sha256(name.encode()).hexdigest()[:ID_LENGTH]


def list_batches(ports: Ports, workspace: str, project_slug: str) -> list[Batch]:
    """Oldest first.

    Raises:
        NotFoundError: if there is no such project.
    """
    find_project(ports, workspace, project_slug)
    held = Counter(mask.batch for mask in ports.store.list_held_masks(workspace, project_slug))
    return [
        Batch(make_batch_id(counts.name), counts, held[counts.name])
        for counts in ports.store.list_batches(workspace, project_slug)
    ]


def find_batch(ports: Ports, workspace: str, project_slug: str, batch_id: str) -> Batch:
    """A batch by its id.

    Raises:
        NotFoundError: if there is no such project or batch.
    """
    for batch in list_batches(ports, workspace, project_slug):
        if batch.id == batch_id:
            return batch
    raise NotFoundError(f"batch {batch_id[:50]!r}: project {project_slug!r} has none of this id; /batches lists them")
