"""Slugs and the ids that users type: `project`, `project/version`, `workspace/model-slug`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from atrous.core.errors import InvalidInputError

MAX_SLUG_LENGTH = 64
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
# Parts of paths that mean something else, here or at the stock server: a project or workspace of such a name could
# never be called.
RESERVED_SLUGS = frozenset(
    [
        "_next",
        "annotation-batches",
        "annotation-jobs",
        "annotations",
        "api",
        "api-keys",
        "assets",
        "asynctasks",
        "auth-cli",
        "autolabel",
        "batch-processing",
        "batches",
        "billing-usage-report",
        "build",
        "clear_cache",
        "dataset",
        "dedicated",
        "deployments",
        "device",
        "devices",
        "docs",
        "getweights",
        "groups",
        "health",
        "healthz",
        "images",
        "infer",
        "inference",
        "inference-stats",
        "inference_pipelines",
        "info",
        "initialise_webrtc_worker",
        "jobs",
        "logs",
        "metrics",
        "model",
        "model-evals",
        "models",
        "notebook",
        "openapi.json",
        "ort",
        "platform",
        "projects",
        "query",
        "readiness",
        "redoc",
        "search",
        "start",
        "static",
        "stats",
        "transfers",
        "trash",
        "ui",
        "universe",
        "upload",
        "usage",
        "videoinfer",
        "vision-events",
        "webrtc",
        "workflows",
        "workspaces",
    ]
)


def check_slug(text: str, what: str) -> str:
    """Give the slug back if it is one.

    Raises:
        InvalidInputError: unless it has 1 to 64 lower-case letters, digits, `-` or `_` and starts and ends with a
            letter or digit; or if it is reserved.
    """
    if not SLUG.fullmatch(text):
        raise InvalidInputError(
            f"{what} {text!r}: use 1 to 64 lower-case letters, digits, '-' or '_', starting and ending with a letter "
            "or digit"
        )
    if text in RESERVED_SLUGS:
        raise InvalidInputError(f"{what} {text!r}: is a path of the server's own; choose another name")
    return text


@dataclass(frozen=True, slots=True)
class VersionId:
    """`project/number` as users write it, such as `road/1`."""

    project: str
    number: int

    def __str__(self) -> str:
        return f"{self.project}/{self.number}"


@dataclass(frozen=True, slots=True)
class ModelSlugId:
    """`workspace/model-slug` as users write it."""

    workspace: str
    slug: str

    def __str__(self) -> str:
        return f"{self.workspace}/{self.slug}"


def parse_version_id(text: str) -> VersionId:
    """Read `project/number`.

    Raises:
        InvalidInputError: if it is not that.
    """
    model_id = parse_model_id(text)
    if isinstance(model_id, ModelSlugId):
        raise InvalidInputError(f"{text!r} is not a version; write PROJECT/NUMBER, such as road/1")
    return model_id


def parse_model_id(text: str) -> VersionId | ModelSlugId:
    """Read `project/number` or `workspace/model-slug`.

    Raises:
        InvalidInputError: if it is neither.
    """
    parts = text.split("/")
    if len(parts) != 2 or not all(SLUG.fullmatch(part) for part in parts):
        raise InvalidInputError(f"model id {text[:200]!r}: write PROJECT/VERSION, such as road/1, or WORKSPACE/MODEL")
    first, second = parts
    if second.isascii() and second.isdigit():
        return VersionId(project=first, number=int(second))
    return ModelSlugId(workspace=first, slug=second)
