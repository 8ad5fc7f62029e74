"""Paths that begin with a workspace's slug, where other paths have been before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi.routing import APIRoute
from pydantic import Field, WithJsonSchema
from starlette.datastructures import QueryParams
from starlette.routing import Match

from atrous.core.ids import MAX_SLUG_LENGTH, RESERVED_SLUGS, SLUG
from atrous.server.platform import FlatErrorRoute, PlatformRoute
from atrous.server.signed_links import MAX_TOKEN_LENGTH

if TYPE_CHECKING:
    from starlette.types import Scope

PARTS_OF_PROJECT = 2
PARTS_OF_VERSION = 3
# More cannot be kept as a number, and reading it would take long.
MAX_DIGITS = 18
# A slug that is no number.
PROJECT = r"[0-9]*[a-z](?:[a-z0-9_-]*[a-z0-9])?|[0-9]+[_-][a-z0-9_-]*[a-z0-9]"

# What the routes below match anyway, told to those who read the description of the API.
WorkspaceSlug = Annotated[str, Field(pattern=f"^{SLUG.pattern}$", max_length=MAX_SLUG_LENGTH)]
ProjectSlug = Annotated[str, Field(pattern=f"^(?:{PROJECT})$", max_length=MAX_SLUG_LENGTH)]
VersionNumber = Annotated[int, Field(ge=0, lt=10**MAX_DIGITS)]
ModelSlug = Annotated[str, Field(pattern=f"^{SLUG.pattern}$", max_length=MAX_SLUG_LENGTH)]
# Of pictures, batches, trainings, evaluations, jobs and tasks.
Id = Annotated[str, Field(pattern="^[A-Za-z0-9_-]+$", max_length=64)]
# Of a link: no `.` or `..`, which clients take out of paths.
Token = Annotated[str, Field(pattern="^[A-Za-z0-9_-][A-Za-z0-9_.-]*$", max_length=MAX_TOKEN_LENGTH)]
# Part of a model's id where prediction is asked for: told, while errors are in the words of its clients.
ToldSlug = Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^{SLUG.pattern}$"})]


class WorkspaceRoute(PlatformRoute):
    """Takes no path whose first part cannot be a workspace: `/favicon.ico` is answered without asking for a key."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route is for a request."""
        return super().matches(scope) if _names_workspace(scope) else (Match.NONE, {})


class ProjectRoute(PlatformRoute):
    """Takes `/workspace/project` and what is below, and leaves `/project/1` and pictures by URL to prediction."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route is for a request."""
        return super().matches(scope) if _names_project(scope) else (Match.NONE, {})


class FlatProjectRoute(FlatErrorRoute):
    """The same with flat errors."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route is for a request."""
        return super().matches(scope) if _names_project(scope) else (Match.NONE, {})


class NumberedRoute(APIRoute):
    """Takes `/project/1`, which no other route does, so that it can be asked first."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route is for a request."""
        return super().matches(scope) if _names_numbered(scope) else (Match.NONE, {})


class VersionRoute(PlatformRoute):
    """Takes `/workspace/project/number` and what is below."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route is for a request."""
        return super().matches(scope) if _names_version(scope) else (Match.NONE, {})


class FlatVersionRoute(FlatErrorRoute):
    """The same with flat errors."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route is for a request."""
        return super().matches(scope) if _names_version(scope) else (Match.NONE, {})


def _names_workspace(scope: Scope) -> bool:
    return scope["type"] == "http" and _is_slug(_split(scope)[0])


def _names_project(scope: Scope) -> bool:
    parts = _split(scope)
    if not _names_workspace(scope) or len(parts) < PARTS_OF_PROJECT or not _is_slug(parts[1]):
        return False
    is_prediction = parts[1].isdigit() or "image" in QueryParams(scope["query_string"])
    return len(parts) > PARTS_OF_PROJECT or not is_prediction


def _names_numbered(scope: Scope) -> bool:
    return (
        scope["path"].rpartition("/")[2].isdigit()
        and len(_split(scope)) == PARTS_OF_PROJECT
        and _names_workspace(scope)
    )


def _names_version(scope: Scope) -> bool:
    parts = _split(scope)
    if not _names_project(scope) or len(parts) < PARTS_OF_VERSION:
        return False
    return parts[2].isascii() and parts[2].isdigit() and len(parts[2]) <= MAX_DIGITS


def _split(scope: Scope) -> list[str]:
    return scope["path"].strip("/").split("/")


def _is_slug(text: str) -> bool:
    return SLUG.fullmatch(text) is not None and text not in RESERVED_SLUGS
