"""What a workspace keeps, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from atrous.core.ids import VersionId

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from atrous.bundle.preprocessing import Preprocessing
    from atrous.core.class_map import ClassMap
    from atrous.core.sizes import Size
    from atrous.datasets.splits import Split, SplitRule


class TrainingState(StrEnum):
    """Life of a training: running, then one of the others; stopped and failed ones can be resumed."""

    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    DONE = "done"


class Scope(StrEnum):
    """What a key may do: predict and look, load and unload models too, or everything."""

    INFER = "infer"
    MANAGE = "manage"
    ADMIN = "admin"

    def allows(self, needed: Scope) -> bool:
        """Each scope holds those before it."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key without its secret.

    Attributes:
        prefix: the part of the secret that people see in lists.
        scope: keys of older releases may do everything.
        requests_per_minute: how often it may ask; None leaves that to the server.
    """

    id: str
    workspace: str
    name: str
    prefix: str
    created: datetime
    revoked: datetime | None = None
    scope: Scope = Scope.ADMIN
    requests_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """A set of pictures and the classes of their labels."""

    workspace: str
    slug: str
    class_map: ClassMap
    created: datetime


@dataclass(frozen=True, slots=True)
class Picture:
    """One labelled picture of a project; image and mask are blobs, named by their sha256.

    Attributes:
        name: file name in the source, kept for people.
        size: after EXIF rotation, which is also the mask's size.
        class_pixels: our id -> pixels, void included, ids without pixels left out; empty for pictures of old imports.
        look: what near-duplicates share, see `datasets/looks.py`; empty for pictures of old imports.
        source_sha256: of all that the source said about it, so that an import can tell that nothing changed.
        pending: how its split is yet to be chosen, once all pictures of its import are known; None if it is settled.
    """

    name: str
    image_sha256: str
    mask_sha256: str
    split: Split
    size: Size
    class_pixels: Mapping[int, int] = field(default_factory=dict[int, int])
    look: bytes = b""
    source_sha256: str = ""
    pending: SplitRule | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable snapshot of a project.

    Attributes:
        content_sha256: hash of the canonical JSON of everything in it, and the name of the blob that holds it.
        pictures: number of pictures by split.
    """

    workspace: str
    project: str
    number: int
    content_sha256: str
    class_map: ClassMap
    preprocessing: Preprocessing
    pictures: dict[Split, int]
    created: datetime

    @property
    def id(self) -> VersionId:
        """`project/number`."""
        return VersionId(self.project, self.number)


@dataclass(frozen=True, slots=True)
class Training:
    """One run on one version with one recipe."""

    id: str
    workspace: str
    project: str
    version: int
    recipe: dict[str, Any]
    state: TrainingState
    created: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """Trained weights that were published as a bundle under `workspace/slug`."""

    workspace: str
    slug: str
    project: str
    version: int
    training: str
    created: datetime
    metrics: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def version_id(self) -> VersionId:
        """`project/version`, the id most clients use."""
        return VersionId(self.project, self.version)
