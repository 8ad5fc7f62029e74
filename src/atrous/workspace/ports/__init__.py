"""What the rules need of the world, each with a real twin in `adapters`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from atrous.workspace.ports.accounts import KeyStore, SecretStore, WorkspaceStore
from atrous.workspace.ports.deployments import DeploymentStore
from atrous.workspace.ports.files import Archive, Blobs, Bundles
from atrous.workspace.ports.pictures import BatchCounts, PictureCounts, PictureSizes, PictureStore
from atrous.workspace.ports.projects import ProjectStore, TrashStore
from atrous.workspace.ports.queue import Queue
from atrous.workspace.ports.rows import RowStore, Snapshot
from atrous.workspace.ports.versions import EvaluationFilter, EvaluationStore, ModelStore, TrainingStore, VersionStore

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "Archive",
    "BatchCounts",
    "Blobs",
    "Bundles",
    "Clock",
    "DeploymentStore",
    "EvaluationFilter",
    "EvaluationStore",
    "KeyStore",
    "ModelStore",
    "PictureCounts",
    "PictureSizes",
    "PictureStore",
    "Ports",
    "ProjectStore",
    "Queue",
    "RowStore",
    "SecretStore",
    "Snapshot",
    "Store",
    "TrainingStore",
    "TrashStore",
    "VersionStore",
    "WorkspaceStore",
]


class Store(
    WorkspaceStore,
    KeyStore,
    ProjectStore,
    PictureStore,
    VersionStore,
    TrashStore,
    TrainingStore,
    ModelStore,
    EvaluationStore,
    SecretStore,
    DeploymentStore,
    RowStore,
    Protocol,
):
    """Everything that is a row."""


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Now, in UTC, with its time zone."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """All of the world that the rules touch."""

    store: Store
    blobs: Blobs
    bundles: Bundles
    clock: Clock
    queue: Queue
