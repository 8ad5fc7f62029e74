"""Paths as clients join them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

SLASHES = re.compile(r"/{2,}")


class TidyPaths:
    """Takes `//road/1` and `/road/1/` for `/road/1`: clients append to a base URL that may end in a slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request under its tidy path."""
        if scope["type"] == "http":
            scope = {**scope, "path": SLASHES.sub("/", scope["path"]).rstrip("/") or "/"}
        await self._app(scope, receive, send)
