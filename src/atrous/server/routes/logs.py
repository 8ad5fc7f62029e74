"""The last lines of the log."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from atrous.core.errors import ForbiddenError, NotFoundError
from atrous.server.keys import find_own_workspace, find_secret, find_workspace
from atrous.server.openapi import ERRORS, reply_of
from atrous.server.service import Service, service_of
from atrous.workspace.records import Scope

router = APIRouter(tags=["server"], responses=ERRORS)


class LogsReply(BaseModel):
    """The newest lines, oldest first, and how many there are."""

    logs: list[dict[str, Any]]
    total_count: int


@router.get("/logs", responses=reply_of(LogsReply))
async def list_logs(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100_000)] = 100,
    level: str | None = None,
    since: datetime | None = None,
) -> dict[str, Any]:
    """The last lines of this process's log, keys masked, for a key of the first workspace with the scope `admin`.

    `level` is the lowest level to be shown, `since` a time that lines must be later than.
    """
    service = service_of(request)
    await run_in_threadpool(_check_operator, service, find_secret(request))
    if not service.settings.recent_logs:
        raise NotFoundError(
            "Logs endpoint not available; set recent_logs of the server to how many lines it shall hold"
        )
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    logs = service.recent_logs.list(limit=limit, level=level, since=since)
    return {"logs": logs, "total_count": len(logs)}


def _check_operator(service: Service, secret: str | None) -> None:
    """The log tells of all workspaces, so it is for the first one, whose owner runs the server."""
    workspace = find_workspace(service, secret, Scope.ADMIN)
    if workspace != find_own_workspace(service):
        raise ForbiddenError("the log is of the whole server; use a key of its first workspace")
