"""What a workspace keeps, as frozen values."""

from __future__ import annotations

import secrets
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


PICTURE_ID_BYTES = 10


class TrainingState(StrEnum):
    """Life of a training: queued, running, then one of the others; stopped and failed ones can be resumed."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DONE = "done"


class VersionState(StrEnum):
    """Life of a version: its pictures are being made, all are there, or they could not be made."""

    GENERATING = "generating"
    READY = "ready"
    FAILED = "failed"


class Scope(StrEnum):
    """What a key may do: predict; read datasets too; change them, train and load models too; or everything."""

    INFER = "infer"
    READ = "read"
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
        rotated: when it was last given another secret.
    """

    id: str
    workspace: str
    name: str
    prefix: str
    created: datetime
    revoked: datetime | None = None
    scope: Scope = Scope.ADMIN
    requests_per_minute: int | None = None
    rotated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """A set of pictures and the classes of their labels.

    Attributes:
        name: what people call it; the slug if empty.
        annotation: what its objects are called as a whole, such as `street things`.
        updated: when its pictures or classes last changed; never, if None.
        deleted: when it went to the trash.
    """

    workspace: str
    slug: str
    class_map: ClassMap
    created: datetime
    name: str = ""
    annotation: str = ""
    license: str = ""
    updated: datetime | None = None
    deleted: datetime | None = None


def make_picture_id() -> str:
    """An id for a picture that no other picture of the store has."""
    return secrets.token_hex(PICTURE_ID_BYTES)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a project; image and mask are blobs, named by their sha256.

    Attributes:
        name: file name in the source, kept for people.
        mask_sha256: None while nobody has labelled it.
        size: after EXIF rotation, which is also the mask's size.
        class_pixels: our id -> pixels, void included, ids without pixels left out; empty for pictures of old imports.
        look: what near-duplicates share, see `datasets/looks.py`; empty for pictures of old imports.
        source_sha256: of all that the source said about it, so that an import can tell that nothing changed.
        pending: how its split is yet to be chosen, once all pictures of its import are known; None if it is settled.
        id: what it is asked for by, unique in the whole store, which gives one to a picture without; not compared.
        batch: name of the upload that brought it; empty for imports.
        annotation_job: id of the AnnotationJob it was given to; empty if to none.
        metadata: what its owner says about it, by name.
        created: when it came; None for pictures of old imports.
    """

    name: str
    image_sha256: str
    mask_sha256: str | None
    split: Split
    size: Size
    class_pixels: Mapping[int, int] = field(default_factory=dict[int, int])
    look: bytes = b""
    source_sha256: str = ""
    pending: SplitRule | None = None
    id: str = field(default="", compare=False)
    batch: str = ""
    annotation_job: str = ""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class HeldMask:
    """A mask that was uploaded as a picture and waits for the picture that it belongs to.

    Attributes:
        stem: of the picture's file name.
        sha256: of the mask's file, a blob.
    """

    batch: str
    stem: str
    sha256: str
    created: datetime


@dataclass(frozen=True, slots=True)
class AnnotationJob:
    """A batch of pictures given to a person to label."""

    id: str
    workspace: str
    project: str
    name: str
    batch: str
    pictures: int
    labeler: str
    reviewer: str
    instructions: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """A numbered snapshot of a project, immutable from the moment it is ready.

    Attributes:
        content_sha256: hash of the canonical JSON of everything in it, and the name of the blob that holds it; empty
            until the version is ready.
        preprocessing: what serving does too.
        pictures: number of pictures by split; what is expected until the version is ready.
        settings: all choices it was made by, in the form of `datasets/version_settings.py`; empty for old versions.
        source_sha256: blob with the project's pictures as they were when the version was asked for; empty once ready.
        progress: share of its pictures that are made, 0 to 1.
        error: why it could not be made.
        deleted: when it went to the trash.
    """

    workspace: str
    project: str
    number: int
    content_sha256: str
    class_map: ClassMap
    preprocessing: Preprocessing
    pictures: dict[Split, int]
    created: datetime
    name: str = ""
    state: VersionState = VersionState.READY
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    source_sha256: str = ""
    progress: float = 1.0
    error: str | None = None
    deleted: datetime | None = None

    @property
    def id(self) -> VersionId:
        """`project/number`."""
        return VersionId(self.project, self.number)


@dataclass(frozen=True, slots=True)
class Training:
    """One run on one version with one recipe.

    Attributes:
        model_type: what its starter called the kind of model, such as `deeplabv3plus-sem`.
        started: when it last left the queue.
        epochs: figures of the finished epochs, as `EpochReport.as_json` gives them.
        deleted: when it went to the trash.
    """

    id: str
    workspace: str
    project: str
    version: int
    recipe: dict[str, Any]
    state: TrainingState
    created: datetime
    error: str | None = None
    model_type: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    epochs: tuple[Mapping[str, Any], ...] = ()
    deleted: datetime | None = None


class JobKind(StrEnum):
    """What workers do."""

    GENERATE = "generate"
    IMPORT = "import"
    EXPORT = "export"
    TRAIN = "train"
    EVALUATE = "evaluate"
    METADATA = "metadata"
    PUBLISH = "publish"


class JobState(StrEnum):
    """Life of a job: queued, running (perhaps by several workers in turn), then one of the others."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether it stays as it is."""
        return self not in {JobState.QUEUED, JobState.RUNNING}


class Wish(StrEnum):
    """What is wanted of a running job: an early end that keeps what there is, or none of it.

    A pause is not a person's wish but that of a worker which is about to end: another one goes on later.
    """

    STOP = "stop"
    CANCEL = "cancel"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Job:
    """Work for a worker.

    Attributes:
        subject: what it is about, such as `road/1` or the id of a training; with workspace and kind, how to find it.
        payload: all that the work needs to know, as plain values.
        wish: what it was last asked for.
        owner: the worker that holds it until `leased_until`; another one may take it after that.
        attempts: how often a worker took it since it last got ahead.
        progress: how far it is, as its kind tells.
        result: what it gave, as its kind tells.
    """

    id: str
    workspace: str
    kind: JobKind
    subject: str
    created: datetime
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    state: JobState = JobState.QUEUED
    wish: Wish | None = None
    owner: str = ""
    leased_until: datetime | None = None
    attempts: int = 0
    progress: Mapping[str, Any] = field(default_factory=dict[str, Any])
    result: Mapping[str, Any] = field(default_factory=dict[str, Any])
    error: str | None = None
    started: datetime | None = None
    ended: datetime | None = None


class EvaluationState(StrEnum):
    """Life of an evaluation, in the words that clients read."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ModelEvaluation:
    """A model scored on the splits of its version.

    Attributes:
        model: its slug.
        summary: mIoU, precision and recall, and the optimal threshold; empty until done.
        details_sha256: blob with all that the panels show; empty until done.
    """

    id: str
    workspace: str
    project: str
    version: int
    model: str
    state: EvaluationState
    created: datetime
    summary: Mapping[str, Any] = field(default_factory=dict[str, Any])
    details_sha256: str = ""
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
