"""Which requests are for a dedicated deployment, told by their path or by their host."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

# Where a scope holds the way of a request that is to be passed on.
PASSAGE = "atrous.passage"
PREFIX = "/deployments"
BELOW_PREFIX = re.compile(rb"/+deployments/+([^/]+)(/.*)?", re.DOTALL)
PORT = re.compile(r":\d*$")


@dataclass(frozen=True, slots=True)
class Passage:
    """The way of a request to a deployment.

    Attributes:
        name: of the deployment, as the caller wrote it.
        prefix: what each path of the deployment begins with here; empty where a host name tells it from others.
        path: the rest, as the deployment is asked for it: escaped, without the query.
    """

    name: str
    prefix: str
    path: bytes


class FindPassage:
    """Notes the way of each request that is for a deployment.

    Args:
        app: what serves.
        domain: deployments are its subdomains too, if it is not empty.
    """

    def __init__(self, app: ASGIApp, domain: str) -> None:
        self._app = app
        self._domain = domain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and (passage := find_passage(scope, self._domain)) is not None:
            scope = {**scope, PASSAGE: passage}
        await self._app(scope, receive, send)


def find_passage(scope: Scope, domain: str) -> Passage | None:
    """The way of a request, or None if it is for this server itself."""
    # As it was sent: what a deployment is asked for must not be unescaped on the way.
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
    name = _find_subdomain(Headers(scope=scope).get("host", ""), domain) if domain else ""
    if name:
        return Passage(name, "", path)
    below = BELOW_PREFIX.fullmatch(path)
    if below is None:
        return None
    name = below[1].decode("ascii", "replace")
    return Passage(name, f"{PREFIX}/{name}", below[2] or b"/")


def _find_subdomain(host: str, domain: str) -> str:
    name = PORT.sub("", host).rstrip(".").lower()
    return name.removesuffix(f".{domain}") if name.endswith(f".{domain}") else ""
