"""A client that costs little: one kept connection, the body made once, the reply read and looked at only when asked."""

from __future__ import annotations

import base64
import http.client
import json
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    from types import TracebackType

    from benchmarks.photographs import Photograph

OK, FAILED, BUSY = 200, 500, 503
TIMEOUT_S = 300
# Where a PNG says its width and height.
PNG_SIZE = slice(16, 24)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, and the seconds from sending the first byte to having the last."""

    status: int
    body: bytes
    seconds: float


class Caller:
    """One kept connection to one model of one server; for one thread."""

    def __init__(self, model_url: str) -> None:
        """Connect on first use.

        Args:
            model_url: address with the model id as its path, and a query such as `api_key=…` if the server asks.

        Raises:
            InvalidInputError: if it is no such address.
        """
        parts = urlsplit(model_url)
        if parts.scheme != "http" or not parts.hostname or not parts.path.strip("/"):
            raise InvalidInputError(f"{model_url}: write it as http://HOST:PORT/PROJECT/VERSION")
        self._url = model_url
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
        self._target = parts.path + (f"?{parts.query}" if parts.query else "")

    def __enter__(self) -> Caller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def ask(self, body: bytes) -> Reply:
        """Send a picture as base64 and give what came back, good or refused.

        Raises:
            InvalidInputError: if the server does not answer, or with something else than 200 or 503.
        """
        try:
            try:
                reply = self._send(body)
            except ConnectionError:
                # Servers close what lies idle, such as while it is another server's turn; all clients connect anew.
                self._connection.close()
                reply = self._send(body)
        except (OSError, http.client.HTTPException) as error:
            raise InvalidInputError(f"{self._url}: {error!r}; is the server running?") from error
        if reply.status not in {OK, BUSY}:
            advice = "check model id and key" if reply.status < FAILED else "see the server's log"
            raise InvalidInputError(f"{self._url}: answers {reply.status} {reply.body[:300]!r}; {advice}")
        return reply

    def ask_idle(self, body: bytes) -> Reply:
        """Send a picture to a server that has nothing else to do.

        Raises:
            InvalidInputError: if it refuses all the same, or as `ask`.
        """
        reply = self.ask(body)
        if reply.status == BUSY:
            raise InvalidInputError(f"{self._url}: busy with one request, {reply.body[:300]!r}; wait until it is idle")
        return reply

    def _send(self, body: bytes) -> Reply:
        started_s = time.perf_counter()
        self._connection.request("POST", self._target, body, {"content-type": "application/json"})
        response = self._connection.getresponse()
        return Reply(response.status, response.read(), time.perf_counter() - started_s)


def encode_body(photograph: Photograph) -> bytes:
    """A picture as Roboflow's clients post it."""
    return base64.b64encode(photograph.data)


def read_answer(caller: Caller, photograph: Photograph) -> dict[str, Any]:
    """Ask once and make sure that the answer is a mask of the picture's size.

    Raises:
        InvalidInputError: if it is not.
    """
    answer = json.loads(caller.ask_idle(encode_body(photograph)).body)
    mask = base64.b64decode(answer["predictions"]["segmentation_mask"])
    width, height = struct.unpack(">II", mask[PNG_SIZE])
    if (width, height) != (photograph.size.width, photograph.size.height):
        raise InvalidInputError(f"a mask of {width}x{height} came for a picture of {photograph.size}; compare nothing")
    return answer
