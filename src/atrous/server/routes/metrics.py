"""Figures for Prometheus."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from atrous.server.keys import find_secret, find_workspace
from atrous.server.openapi import ERRORS, KEY_OPTIONAL
from atrous.server.service import Service, service_of

router = APIRouter(tags=["server"])


@router.get("/metrics", response_class=PlainTextResponse, responses=ERRORS, openapi_extra=KEY_OPTIONAL)
async def show_metrics(request: Request) -> Response:
    """The server's figures, for everybody; with a key those of its workspace's models as well."""
    text = await run_in_threadpool(_render, service_of(request), find_secret(request))
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _render(service: Service, secret: str | None) -> bytes:
    is_anonymous = secret is None and service.settings.auth_required
    return service.metrics.render(None if is_anonymous else find_workspace(service, secret))
