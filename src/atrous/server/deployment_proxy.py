"""Passes requests on to dedicated deployments, part by part as they come, and their replies back."""

from __future__ import annotations

import logging
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import h11
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match, NoMatchFound

from atrous.core.errors import ConflictError, NotFoundError, UnavailableError
from atrous.server.deployment_connection import LostConnectionError
from atrous.server.deployment_connections import Connections, UnreachableError
from atrous.server.deployment_headers import has_body, pass_back_reply, pass_on_request
from atrous.server.deployment_paths import PASSAGE, PREFIX
from atrous.server.notes import current_notes
from atrous.workspace.deployment import DeploymentState

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import Any

    from starlette.datastructures import URLPath
    from starlette.types import Receive, Scope, Send

    from atrous.server.deployment_connection import Connection
    from atrous.server.deployment_directory import DeploymentDirectory
    from atrous.server.deployment_paths import Passage
    from atrous.workspace.deployment import Deployment
    from atrous.workspace.ports import Clock

logger = logging.getLogger(__name__)

# Each time at another address: a deployment may move while a request looks for it.
MAX_ATTEMPTS = 3


class DeploymentRoute(BaseRoute):
    """Takes every request that has a passage, whatever its method.

    A deployment lets its callers in by itself, so no key is looked at here. The time for all of it is that of the
    server's deadline.
    """

    def __init__(self, directory: DeploymentDirectory, clock: Clock) -> None:
        self._clock = clock
        self.path = f"{PREFIX}/{{name}}/{{path}}"
        self._directory = directory
        self._connections = Connections()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route is for a request."""
        return (Match.FULL, {"route": self}) if PASSAGE in scope else (Match.NONE, {})

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """None: nothing here has a name."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            NotFoundError: if there is no such deployment.
            ConflictError: if it answers only once somebody has ordered it to.
            UnavailableError: if it does not answer now.
            HTTPException: if it hung up before it replied; whether it did what was asked is not known.
        """
        deployment, connection = await self._connect(scope[PASSAGE].name)
        try:
            reply = await _ask(connection, scope, receive, deployment)
            await _pass_back(connection, reply, scope[PASSAGE], send)
        except BaseException:
            # The caller who has left among them: so the deployment learns it too.
            connection.abort()
            raise
        self._connections.keep(deployment.address, connection)

    def close(self) -> None:
        """Hang up on all deployments."""
        self._connections.close()

    async def _connect(self, name: str) -> tuple[Deployment, Connection]:
        """A connection to where a deployment is now."""
        deployment = self._check_answers(await self._directory.find(name), name)
        for _ in range(MAX_ATTEMPTS):
            with suppress(UnreachableError):
                return deployment, await self._connections.take(deployment.address)
            asked, found = deployment, await self._directory.find_other_than(deployment)
            deployment = self._check_answers(found, name)
            if deployment.address == asked.address:
                break
        raise UnavailableError(f"deployment {name!r} cannot be reached just now; send the request again in a moment")

    def _check_answers(self, deployment: Deployment | None, name: str) -> Deployment:
        deployment = _check_ordered(deployment, name)
        # Past its lease the host may be gone, and the port may be another program's, which must not see keys.
        is_held = deployment.leased_until is None or deployment.leased_until > self._clock.now()
        if deployment.state is DeploymentState.PENDING or not deployment.address or not is_held:
            raise UnavailableError(f"deployment {name!r} is not up yet; send the request again in a moment")
        return deployment


def _check_ordered(deployment: Deployment | None, name: str) -> Deployment:
    """A deployment that is there or will be, unless somebody orders something else."""
    if deployment is None:
        raise NotFoundError(f"deployment {name[:64]!r}: there is none of this name; check the address")
    notes = current_notes()
    if notes is not None:
        notes.deployment = deployment
    state = deployment.state
    if state is DeploymentState.PAUSED:
        raise ConflictError(f"deployment {name!r} is paused; resume it: `roboflow deployment resume {name}`")
    if state is DeploymentState.EXPIRED:
        raise ConflictError(
            f"deployment {name!r} is past its time; give it more: `atrous deployment resume {name} --duration HOURS`"
        )
    if state is DeploymentState.FAILED:
        raise ConflictError(f"deployment {name!r} cannot run; `roboflow deployment get {name}` tells why")
    return deployment


async def _ask(connection: Connection, scope: Scope, receive: Receive, deployment: Deployment) -> h11.Response:
    try:
        return await connection.ask(_make_request(scope, deployment), _read_body(scope, receive))
    except LostConnectionError as error:
        logger.warning("deployment hung up", extra={"deployment": deployment.name, "error": str(error)})
        message = (
            f"deployment {deployment.name!r} hung up before it answered, perhaps because this request was too much; "
            "look at its log, then send the request again"
        )
        raise HTTPException(HTTPStatus.BAD_GATEWAY, message) from error


def _make_request(scope: Scope, deployment: Deployment) -> h11.Request:
    query: bytes = scope["query_string"]
    notes = current_notes()
    host = urlsplit(deployment.address).netloc.encode("ascii")
    return h11.Request(
        method=scope["method"],
        target=scope[PASSAGE].path + (b"?" + query if query else b""),
        headers=pass_on_request(scope, host, notes.request_id if notes else ""),
    )


async def _read_body(scope: Scope, receive: Receive) -> AsyncGenerator[bytes]:
    """A request's body, taken from its caller only as fast as the deployment reads it."""
    has_more = True
    while has_more:
        # Even if there is none: from its end on somebody watches whether the caller is still there.
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        has_more = message.get("more_body", False)
        if message.get("body") and has_body(scope):
            yield message["body"]


async def _pass_back(connection: Connection, reply: h11.Response, passage: Passage, send: Send) -> None:
    headers = pass_back_reply(reply.headers, passage.prefix)
    await send({"type": "http.response.start", "status": reply.status_code, "headers": headers})
    try:
        async for part in connection.read_body():
            await send({"type": "http.response.body", "body": part, "more_body": True})
    except LostConnectionError as error:
        # Too late for another status; without an end of the body the caller knows that it is not whole.
        logger.warning("deployment hung up", extra={"deployment": passage.name, "error": str(error)})
        return
    await send({"type": "http.response.body", "body": b"", "more_body": False})
