"""The app: settings and ports in, an ASGI application out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware import Middleware

from atrous import __version__
from atrous.server.body_limit import BodyLimit
from atrous.server.errors import add_error_handlers
from atrous.server.exchange import Exchange
from atrous.server.paths import TidyPaths
from atrous.server.routes import ROUTES
from atrous.server.service import make_service

if TYPE_CHECKING:
    from atrous.server.settings import Settings
    from atrous.workspace.ports import Ports


def create_app(settings: Settings, ports: Ports) -> FastAPI:
    """Make an app of its own: nothing is shared with another one, nothing is read from the environment."""
    app = FastAPI(
        title="Atrous",
        version=__version__,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(Exchange),
            Middleware(TidyPaths),
            Middleware(BodyLimit, max_bytes=settings.max_body_bytes),
        ],
    )
    app.state.service = make_service(settings, ports)
    add_error_handlers(app)
    for router in ROUTES:
        app.include_router(router)
    return app
