"""Records with as little in them as a test needs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from atrous.bundle.preprocessing import Fit, Preprocessing
from atrous.core.class_map import ClassMap
from atrous.core.sizes import Size
from atrous.datasets.splits import Split
from atrous.workspace.records import Key, Model, Picture, Project, Training, TrainingState, Version

if TYPE_CHECKING:
    from collections.abc import Callable

# A time with microseconds, which must not be lost.
NOON = datetime(2026, 3, 29, 12, 0, 0, 123456, tzinfo=UTC)
CLASS_MAP = ClassMap(("background", "road", "Straßenschild"))


def later(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make_key(key_id: str = "k1", workspace: str = "acme", **changes: Any) -> Key:
    return replace(Key(id=key_id, workspace=workspace, name="tests", prefix="abcdef", created=NOON), **changes)


def make_project(slug: str = "road", workspace: str = "acme", class_map: ClassMap = CLASS_MAP) -> Project:
    return Project(workspace, slug, class_map, NOON)


def make_picture(name: str, image: str | None = None, **changes: Any) -> Picture:
    picture = Picture(name, sha256(image or name), sha256("mask"), Split.TRAIN, Size(height=30, width=40))
    return replace(picture, **changes)


def version_maker(project: str = "road", workspace: str = "acme", **changes: Any) -> Callable[[int], Version]:
    def make(number: int) -> Version:
        version = Version(
            workspace=workspace,
            project=project,
            number=number,
            content_sha256=sha256(f"content {number}"),
            class_map=CLASS_MAP,
            preprocessing=Preprocessing(
                Size(height=96, width=128), Fit.LETTERBOX_GREY, auto_orient=False, mean_RGB=(0.1, 0.2, 0.3)
            ),
            pictures={Split.TRAIN: 3, Split.VALID: 1, Split.TEST: 0},
            created=later(number),
        )
        return replace(version, **changes)

    return make


def make_training(training_id: str = "t1", workspace: str = "acme", **changes: Any) -> Training:
    training = Training(
        id=training_id,
        workspace=workspace,
        project="road",
        version=1,
        recipe={"encoder": "resnet50", "epochs": 3, "lr": 0.001, "flip": True, "weights": None},
        state=TrainingState.RUNNING,
        created=NOON,
    )
    return replace(training, **changes)


def make_model(slug: str = "road-1-t1", workspace: str = "acme", **changes: Any) -> Model:
    model = Model(workspace, slug, "road", 1, "t1", NOON, {"miou": 0.5, "served_miou": None, "split": "valid"})
    return replace(model, **changes)
