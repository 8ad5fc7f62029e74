"""A platform behind an HTTP server, asked with a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from atrous.cli.remote import describe_refusal
from atrous.core.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable

# An upload may wait for the disk of the server; a reply for the end of that.
TIMEOUT = httpx.Timeout(120, read=600)


class Platform:
    """Speaks JSON with one server."""

    def __init__(self, api_url: str, api_key: str | None) -> None:
        self.url = api_url.rstrip("/")
        if api_key and not api_key.isascii():
            raise InvalidInputError("the API key has letters that no key has; copy it again")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(timeout=TIMEOUT, headers=headers)

    def find_workspace(self) -> str:
        """The key's own."""
        return str(self.ask("POST", "/")["workspace"])

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the server answers.

        Raises:
            AtrousError: of the kind that the server's refusal means.
            UnavailableError: if it cannot be reached, or answers with something else.
        """
        reply = self._send(method, f"{self.url}{path}", json=body)
        try:
            content: Any = reply.json()
            return dict(content)
        except (ValueError, TypeError) as error:
            raise UnavailableError(f"{self.url}{path}: the answer is no JSON object; is this Atrous?") from error

    def send_file(self, url: str, parts: Iterable[bytes]) -> None:
        """Send a file to a link, without the key.

        Raises:
            AtrousError: as for `ask`.
        """
        with httpx.Client(timeout=TIMEOUT) as client:
            self._send("PUT", url, client, content=parts)

    def _send(self, method: str, url: str, client: httpx.Client | None = None, **content: Any) -> httpx.Response:
        try:
            reply = (client or self._client).request(method, url, **content)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise InvalidInputError(f"{self.url}: is no address ({error}); write http://HOST:PORT") from error
        except httpx.HTTPError as error:
            raise UnavailableError(f"{url}: no answer ({error}); check the address and that it runs") from error
        if not reply.is_success:
            raise describe_refusal(reply)
        return reply
