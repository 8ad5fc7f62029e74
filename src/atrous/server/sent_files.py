"""Files as replies, whole or the part that a header `Range` asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.responses import FileResponse

from atrous.server.errors import describe_error, error_response
from atrous.server.platform import PlatformError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from atrous.server.openapi import Responses

REFUSALS = {
    400: "the header Range cannot be read; send one such as bytes=0-1023, or none for the whole file",
    416: "the file has no such part; Content-Range tells how many bytes it has",
}


class SentFile(FileResponse):
    """Refuses a `Range` with a JSON object that has a `message`, as everything else is refused."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        refusals: list[Message] = []

        async def send_file(message: Message) -> None:
            if refusals or message.get("status") in REFUSALS:
                refusals.append(message)
            else:
                await send(message)

        await super().__call__(scope, receive, send_file)
        if refusals:
            await _refuse(refusals[0])(scope, receive, send)


def describe_file(media_type: str, description: str) -> Responses:
    """What OpenAPI is told of a route that sends a file.

    Args:
        media_type: of the file, such as `application/zip`.
        description: of the file.
    """
    binary: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
    parts = {media_type: binary, "multipart/byteranges": binary}
    return {
        200: {"content": {media_type: binary}, "description": description},
        206: {"content": parts, "description": "The part that the header `Range` asks for."},
        416: {"model": PlatformError, "description": "The file has no such part."},
    }


def _refuse(start: Message) -> Any:
    size = Headers(raw=start["headers"]).get("content-range")
    status = start["status"]
    return error_response(
        status, describe_error(status, REFUSALS[status]), {"Content-Range": size} if size is not None else {}
    )
