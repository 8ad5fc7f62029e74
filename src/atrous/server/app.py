"""The app: settings and ports in, an ASGI application out."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from atrous import __version__
from atrous.server.body_limit import BodyLimit
from atrous.server.deadline import Deadline
from atrous.server.errors import add_error_handlers
from atrous.server.exchange import Exchange
from atrous.server.openapi import describe_api
from atrous.server.paths import TidyPaths
from atrous.server.preload import preload_models
from atrous.server.routes import ROUTES
from atrous.server.service import make_service
from atrous.server.url_pictures import INTERNET, Network

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atrous.server.recent_logs import RecentLogs
    from atrous.server.service import Service
    from atrous.server.settings import Settings
    from atrous.server.tracing import Tracing
    from atrous.workspace.ports import Ports

# FastAPI's own traces hold the query, where clients put their keys.
NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
EXPOSED_HEADERS = (
    "x-request-id",
    "x-processing-time",
    "x-model-id",
    "x-model-cold-start",
    "x-model-cold-start-count",
    "x-model-load-time",
    "x-model-load-details",
    "x-inference-id",
    "x-class-map",
    "server-timing",
    "execution_id",
    "retry-after",
)


def create_app(
    settings: Settings,
    ports: Ports,
    *,
    network: Network = INTERNET,
    recent_logs: RecentLogs | None = None,
    tracing: Tracing | None = None,
) -> FastAPI:
    """Make an app of its own: nothing is shared with another one, nothing is read from the environment.

    Args:
        settings: what the operator chose.
        ports: all of the world that it touches.
        network: how pictures named by URL are fetched.
        recent_logs: what `/logs` shows; whoever gives it hands it the log.
        tracing: where spans go; nowhere if not given.
    """
    service = make_service(settings, ports, network, recent_logs=recent_logs, tracing=tracing)
    app = FastAPI(
        title="Atrous",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_live,
        middleware=_list_middleware(service),
        telemetry=NO_TELEMETRY,
    )
    app.state.service = service
    add_error_handlers(app)
    for router in ROUTES:
        app.include_router(router)
    app.openapi = partial(describe_api, app)
    return app


def _list_middleware(service: Service) -> list[Middleware]:
    """What a request passes through, outermost first."""
    settings = service.settings
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=("*",),
        expose_headers=EXPOSED_HEADERS,
    )
    return [
        Middleware(TidyPaths),
        *([cors] if settings.cors_origins else []),
        Middleware(Exchange, service=service),
        Middleware(
            Deadline,
            request_timeout_s=settings.request_timeout_s,
            body_timeout_s=settings.body_timeout_s,
            tell_retry_after=lambda: service.slots.retry_after_s,
        ),
        Middleware(
            BodyLimit,
            max_bytes=settings.max_body_bytes,
            max_upload_bytes=settings.max_upload_bytes,
            budget=service.body_budget,
        ),
    ]


@asynccontextmanager
async def _live(app: FastAPI) -> AsyncGenerator[None]:
    service: Service = app.state.service
    preloading = asyncio.create_task(preload_models(service))
    try:
        yield
    finally:
        preloading.cancel()
        with suppress(asyncio.CancelledError):
            await preloading
        service.tracing.shut_down()
