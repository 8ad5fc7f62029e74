"""What a caller may ask of evaluations, read from text because wrong values have error codes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Query
from pydantic import WithJsonSchema

from atrous.datasets.splits import Split
from atrous.server.evaluation_errors import ParameterError
from atrous.workspace.ports import EvaluationFilter
from atrous.workspace.records import EvaluationState

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL = "all"
METRICS = ("mAP", "mAP5095", "mAP75", "mIoU", "precision", "recall", "f1")
DEFAULT_METRIC = "mIoU"
# More cannot be a version, and reading it would take long.
MAX_VERSION_DIGITS = 18
SHORT = 20

Text = Annotated[str | None, Query(max_length=200)]
SplitName = Annotated[str | None, Query(max_length=SHORT), WithJsonSchema({"enum": [*map(str, Split)]})]
SplitOrAll = Annotated[str | None, Query(max_length=SHORT), WithJsonSchema({"enum": [*map(str, Split), ALL]})]
Percent = Annotated[
    str | None, Query(max_length=SHORT), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 100})
]
Status = Annotated[str | None, Query(max_length=SHORT), WithJsonSchema({"enum": [*map(str, EvaluationState)]})]
Metric = Annotated[str, Query(max_length=SHORT), WithJsonSchema({"enum": [*METRICS]})]


def read_filter(
    workspace: str, *, project: str | None, version: str | None, model: str | None, status: str | None
) -> EvaluationFilter:
    """Which evaluations are meant: those that fit all that is given.

    Args:
        workspace: the key's; ids may begin with it.
        project: `road` or `workspace/road`.
        version: `1`, `road/1` or `workspace/road/1`.
        model: its slug, `workspace/slug`, or `road/1` for all of that version.
        status: running, done or failed.

    Raises:
        ParameterError: if one of them has another form, or they contradict each other.
    """
    model_slug = _drop_workspace(model, workspace)
    if model_slug and "/" in model_slug and model_slug.rpartition("/")[2].isdigit():
        version, model_slug = _agree("version", version, model_slug), None
    version_id = _drop_workspace(version, workspace)
    slug = _drop_workspace(project, workspace)
    if version_id and "/" in version_id:
        of_project, _, version_id = version_id.rpartition("/")
        slug = _agree("project", slug, of_project)
    return EvaluationFilter(
        project=slug, version=_read_version(version_id), model=model_slug, state=_read_status(status)
    )


def choose_split(asked: str | None, scored: Sequence[str]) -> str:
    """The split to show: test if none is asked for, or valid where there is no test.

    Raises:
        ParameterError: if it is none, or was not scored.
    """
    if asked is None:
        return Split.TEST if Split.TEST in scored else scored[0]
    if asked not in list(Split):
        raise ParameterError(f"split {asked!r}: use one of {', '.join(Split)}", "invalid_split")
    if asked not in scored:
        raise ParameterError(
            f"split {asked!r}: was not scored; this evaluation has {' and '.join(scored)}", "invalid_split"
        )
    return asked


def choose_splits(asked: str | None, scored: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The same where `all` may be asked for: the name for it, and the splits it means.

    Raises:
        ParameterError: if it is none, or was not scored.
    """
    if asked == ALL:
        return ALL, scored
    split = choose_split(asked, scored)
    return split, [split]


def read_percent(asked: str | None, default: int) -> int:
    """A threshold in percent.

    Raises:
        ParameterError: unless it is a whole number from 0 to 100.
    """
    if asked is None:
        return default
    if asked.isascii() and asked.isdigit() and len(asked) <= len("100") and int(asked) <= 100:
        return int(asked)
    raise ParameterError(f"confidence {asked!r}: use a whole number from 0 to 100", "invalid_confidence")


def check_metric(asked: str) -> str:
    """Give a metric back if it is one.

    Raises:
        ParameterError: if it is none.
    """
    if asked not in METRICS:
        raise ParameterError(f"frontierMetric {asked!r}: use one of {', '.join(METRICS)}", "invalid_metric")
    return asked


def _drop_workspace(name: str | None, workspace: str) -> str | None:
    return name.removeprefix(f"{workspace}/") if name else None


def _agree(what: str, one: str | None, other: str) -> str:
    if one not in {None, other}:
        raise ParameterError(f"{what} {one!r}: is not the {other!r} that is asked for beside it", "invalid_filter")
    return other


def _read_version(text: str | None) -> int | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= MAX_VERSION_DIGITS:
        return int(text)
    raise ParameterError(f"version {text!r}: use its number, such as 1, or road/1", "invalid_filter")


def _read_status(text: str | None) -> EvaluationState | None:
    if text is None:
        return None
    if text not in list(EvaluationState):
        raise ParameterError(f"status {text!r}: use one of {', '.join(EvaluationState)}", "invalid_status")
    return EvaluationState(text)
