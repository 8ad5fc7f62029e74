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
from atrous.server.deployment_directory import DeploymentDirectory
from atrous.server.deployment_paths import FindPassage
from atrous.server.deployment_proxy import DeploymentRoute
from atrous.server.errors import add_error_handlers
from atrous.server.exchange import Exchange
from atrous.server.openapi import describe_api
from atrous.server.paths import TidyPaths
from atrous.server.preload import preload_models
from atrous.server.routes import ROUTES
from atrous.server.service import make_service
from atrous.server.url_pictures import INTERNET, Network
from atrous.workspace.machine_types import NO_FLEET

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atrous.server.model_source import ModelSource
    from atrous.server.recent_logs import RecentLogs
    from atrous.server.service import Service
    from atrous.server.settings import Settings
    from atrous.server.tracing import Tracing
    from atrous.workspace.machine_types import Fleet
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
    fleet: Fleet = NO_FLEET,
    models: ModelSource | None = None,
) -> FastAPI:
    """Make an app of its own: nothing is shared with another one, nothing is read from the environment.

    Args:
        settings: what the operator chose.
        ports: all of the world that it touches.
        network: how pictures named by URL are fetched.
        recent_logs: what `/logs` shows; whoever gives it hands it the log.
        tracing: where spans go; nowhere if not given.
        fleet: the machine types that deployments can be ordered as; none if not given.
        models: what opens models; this process if not given.
    """
    service = make_service(
        settings, ports, network, recent_logs=recent_logs, tracing=tracing, fleet=fleet, models=models
    )
    app = FastAPI(
        title="Atrous",
        version=__version__,
        docs_url=None,
        openapi_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_live,
        middleware=_list_middleware(service),
        telemetry=NO_TELEMETRY,
    )
    app.state.service = service
    app.state.deployments = DeploymentRoute(DeploymentDirectory(ports.store.find_deployment), ports.clock)
    add_error_handlers(app)
    app.router.routes.append(app.state.deployments)
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
    # A deployment passes nothing on, so that no request can go round in circles.
    passages = [] if settings.deployment else [Middleware(FindPassage, domain=settings.deployments_domain)]
    return [
        *passages,
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
    tasks = [asyncio.create_task(preload_models(service)), asyncio.create_task(service.usage.keep_flushing())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await service.usage.flush_last()
        app.state.deployments.close()
        service.tracing.shut_down()
