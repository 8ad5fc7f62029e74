"""Who the server is and whether it lives. Needs no key."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from atrous import __version__
from atrous.server.service import service_of

router = APIRouter(tags=["server"])

NAME = "Atrous Server"


@router.get("/")
async def show_root() -> dict[str, str]:
    """Where to go from here."""
    return {"name": NAME, "version": __version__, "docs": "/docs", "info": "/info"}


@router.get("/info")
async def show_info(request: Request) -> dict[str, str]:
    """Name, version and an id that lasts as long as this server runs."""
    return {"name": NAME, "version": __version__, "uuid": service_of(request).uuid}


@router.get("/healthz")
async def show_health() -> dict[str, Any]:
    """The process answers."""
    return {"status": "healthy"}


@router.get("/readiness")
async def show_readiness() -> dict[str, Any]:
    """Requests may be sent; models load on first use."""
    return {"status": "ready"}
