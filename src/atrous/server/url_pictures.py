"""Pictures that a request names by URL: fetched from public addresses only, within limits of size and time."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from atrous.core.errors import TooLargeError
from atrous.server.addresses import is_public
from atrous.server.images import bad_image

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Sequence

OFF, HTTPS, HTTP = "off", "https", "http"
SCHEMES = {OFF: (), HTTPS: ("https",), HTTP: ("https", "http")}
MAX_URL_LENGTH = 2048
MAX_REDIRECTS = 3
# So that one dead address of a host leaves time for its next one.
CONNECT_TIMEOUT_S = 3.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# One answer for "not found", "refused" and "not allowed": a difference would map the network behind the server.
UNREACHABLE = "the URL's host cannot be reached, or is not at a public address; send the picture itself as base64."


@dataclass(frozen=True, slots=True)
class Network:
    """The way out of this machine.

    Attributes:
        resolve: gives all addresses of a host as texts; raises OSError if there is none.
        open_transport: gives what connects to the host of a request's URL, which is always an address.
    """

    resolve: Callable[[str, int], Awaitable[Sequence[str]]]
    open_transport: Callable[[], httpx.AsyncBaseTransport]


async def resolve_host(host: str, port: int) -> list[str]:
    """Ask the system for a host's addresses."""
    # As bytes, since text would be turned into IDNA once more.
    found = await asyncio.get_running_loop().getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for _, _, _, _, sockaddr in found]


def open_transport() -> httpx.AsyncBaseTransport:
    """Connect directly; proxies of the environment would resolve names by themselves, unchecked."""
    return httpx.AsyncHTTPTransport(verify=_trust(), trust_env=False)


@cache
def _trust() -> ssl.SSLContext:
    return httpx.create_ssl_context()


INTERNET = Network(resolve_host, open_transport)


@dataclass(frozen=True, slots=True)
class UrlPictures:
    """Fetches pictures by URL.

    Attributes:
        allowed: "off", "https", or "http" for both schemes.
        max_bytes: of all pictures of one request together.
        timeout_s: for all pictures of one request together, from the first look-up of a name to the last byte.
        network: the way out.
    """

    allowed: str
    max_bytes: int
    timeout_s: float
    network: Network = INTERNET

    async def fetch(self, url: str, budget: Budget) -> bytes:
        """Give what a URL points to.

        The host is looked up once, each of its addresses must be public, and only those are connected to. The same
        holds for each of at most 3 redirects.

        Raises:
            InvalidImageError: if this is off, the URL is not allowed, or nothing can be had there.
            TooLargeError: if it is larger than what is left of the budget.
        """
        if self.allowed == OFF:
            raise bad_image(
                "URL input is off on this server (its setting is url_pictures); download the picture and send its "
                "bytes as base64."
            )
        try:
            async with asyncio.timeout_at(budget.deadline_s), self.network.open_transport() as transport:
                return await self._follow(transport, url, budget)
        except TimeoutError as error:
            raise bad_image(
                f"the URL gave no picture within {self.timeout_s:g} seconds; send the picture itself as base64."
            ) from error
        except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise bad_image(UNREACHABLE) from error

    def start(self) -> Budget:
        """The bytes and the time that one request may use."""
        return Budget(self.max_bytes, asyncio.get_running_loop().time() + self.timeout_s)

    async def _follow(self, transport: httpx.AsyncBaseTransport, text: str, budget: Budget) -> bytes:
        url = self._check_url(text)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._open(transport, url)
            try:
                if response.status_code == HTTPStatus.OK:
                    return await _read(response, budget)
                if response.status_code not in REDIRECTS or "location" not in response.headers:
                    raise bad_image(f"the URL answered with status {response.status_code} instead of a picture.")
                url = self._check_url(str(url.join(response.headers["location"])))
            finally:
                await response.aclose()
        raise bad_image(f"the URL leads on more than {MAX_REDIRECTS} times; give the picture's own address.")

    def _check_url(self, text: str) -> httpx.URL:
        schemes = SCHEMES[self.allowed]
        try:
            url = httpx.URL(text) if len(text) <= MAX_URL_LENGTH else None
        except httpx.InvalidURL:
            url = None
        if url is None or not url.host:
            raise bad_image(f"the URL is not one of at most {MAX_URL_LENGTH} characters; send the picture as base64.")
        if url.scheme not in schemes:
            raise bad_image(f"the URL must start with {' or '.join(f'{scheme}://' for scheme in schemes)}.")
        if url.port is not None:
            raise bad_image("the URL names a port; only the usual ones, 443 for https and 80 for http, are allowed.")
        if url.userinfo:
            raise bad_image("the URL holds a user or password; only URLs that need none are allowed.")
        return url

    async def _open(self, transport: httpx.AsyncBaseTransport, url: httpx.URL) -> httpx.Response:
        addresses = await self.network.resolve(url.raw_host.decode("ascii"), 443 if url.scheme == "https" else 80)
        if not addresses or not all(map(is_public, addresses)):
            raise bad_image(UNREACHABLE)
        for address in addresses[:-1]:
            try:
                return await transport.handle_async_request(_pin(url, address))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await transport.handle_async_request(_pin(url, addresses[-1]))


@dataclass(slots=True)
class Budget:
    """What one request may still fetch: bytes, and until when by the event loop's clock."""

    left_bytes: int
    deadline_s: float


def _pin(url: httpx.URL, address: str) -> httpx.Request:
    """A request to an address that was checked, under the name that the certificate and the site know."""
    return httpx.Request(
        "GET",
        url.copy_with(host=address, fragment=None),
        headers={"Host": url.netloc.decode("ascii"), "Accept": "image/*", "Accept-Encoding": "identity"},
        extensions={
            "sni_hostname": url.raw_host.decode("ascii"),
            "timeout": {"connect": CONNECT_TIMEOUT_S},
        },
    )


async def _read(response: httpx.Response, budget: Budget) -> bytes:
    data = bytearray()
    announced = response.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:18]) > budget.left_bytes:
        raise _too_large()
    async for chunk in response.aiter_raw():
        budget.left_bytes -= len(chunk)
        if budget.left_bytes < 0:
            raise _too_large()
        data += chunk
    return bytes(data)


def _too_large() -> TooLargeError:
    return TooLargeError(
        "the pictures at the request's URLs are larger than a request's body may be (max_body_bytes of the server); "
        "use smaller pictures or fewer at a time"
    )
