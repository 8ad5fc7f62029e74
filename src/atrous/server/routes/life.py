"""Who the server is and whether it lives. Needs no key."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from atrous import __version__
from atrous.server.openapi import ERRORS, NO_KEY_NEEDED
from atrous.server.service import service_of

router = APIRouter(tags=["server"])

NAME = "Atrous Server"


@router.get("/info", openapi_extra=NO_KEY_NEEDED)
async def show_info(request: Request) -> dict[str, str]:
    """Name, version and an id that lasts as long as this server runs; which deployment it is, if it is one."""
    service = service_of(request)
    named = {"deployment": service.settings.deployment} if service.settings.deployment else {}
    return {"name": NAME, "version": __version__, "uuid": service.uuid} | named


@router.get("/healthz", openapi_extra=NO_KEY_NEEDED)
async def show_health() -> dict[str, Any]:
    """The process answers."""
    return {"status": "healthy"}


@router.get("/readiness", openapi_extra=NO_KEY_NEEDED, responses={503: ERRORS[503]})
async def show_readiness(request: Request, response: Response) -> dict[str, Any]:
    """Requests may be sent: the preloaded models have answered; others load on first use."""
    obstacle = service_of(request).life.obstacle
    if obstacle is None:
        return {"status": "ready"}
    response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return {"status": "not ready", "message": obstacle}
