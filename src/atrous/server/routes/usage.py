"""What stock servers report of their use and ask about their plan. Nothing is charged here, so nothing is kept."""

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request

from atrous.server.openapi import NO_KEY_NEEDED, reply_of
from atrous.server.platform import PLATFORM_ERRORS, PlatformRoute, admit
from atrous.workspace.records import Scope

router = APIRouter(tags=["model packages"], responses=PLATFORM_ERRORS, route_class=PlatformRoute)


class PlanReply(BaseModel):
    """A plan without limits, in the words of those who ask for it."""

    plan: str = "self-hosted"
    is_enterprise: bool = False
    is_pro: bool = False
    is_trial: bool = False
    is_billed: bool = False
    over_quota: bool = False
    offline_enabled: bool = True


class TakenReply(BaseModel):
    """It was read and forgotten."""

    status: str = "success"


@router.get("/usage/plan", responses=reply_of(PlanReply))
async def show_plan(request: Request) -> PlanReply:
    """What the key's workspace may use: all of it."""
    await admit(request, scope=Scope.INFER)
    return PlanReply()


@router.post("/usage/inference", responses=reply_of(TakenReply))
async def take_usage(request: Request) -> TakenReply:
    """Take a report of pictures served elsewhere, and forget it."""
    await admit(request, scope=Scope.INFER)
    return TakenReply()


@router.post("/inference-stats", responses=reply_of(TakenReply), openapi_extra=NO_KEY_NEEDED)
async def take_stats() -> TakenReply:
    """Take figures of a server and forget them; whoever sends them may have no key."""
    return TakenReply()
