"""What becomes of the headers of a request that is passed on to a deployment, and of its reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from atrous.server.deployment_paths import PASSAGE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope

RawHeaders = list[tuple[bytes, bytes]]

# Of one connection, not of what goes over it.
OF_CONNECTIONS = frozenset(
    [
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    ]
)
# Written anew below; what the caller waits for before he sends a body, this server has answered already.
OF_REQUESTS = frozenset(
    [b"expect", b"host", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-prefix", b"x-forwarded-proto"]
)
# This server sends its own.
OF_REPLIES = frozenset([b"date", b"server"])


def pass_on_request(scope: Scope, host: bytes, request_id: str) -> RawHeaders:
    """Headers for a deployment.

    What a proxy in front of this server says of the caller is kept, as this server itself believes it.

    Args:
        scope: of the request, with its passage.
        host: of the deployment's address.
        request_id: so that both logs name it alike.
    """
    kept = _drop(scope["headers"], OF_REQUESTS | {b"x-request-id"})
    if is_chunked(scope):
        # A length beside it is not that of the body, which a server further on might believe.
        kept = [(name, value) for name, value in kept if name != b"content-length"]
        kept.append((b"transfer-encoding", b"chunked"))
    return [(b"host", host), *kept, (b"x-request-id", request_id.encode("ascii")), *_tell_origin(scope)]


def pass_back_reply(headers: Iterable[tuple[bytes, bytes]], prefix: str) -> RawHeaders:
    """Headers for the caller; a place on the deployment becomes one below the prefix."""
    kept = _drop(headers, OF_REPLIES)
    return [(name, _below(value, prefix) if name == b"location" else value) for name, value in kept]


def is_chunked(scope: Scope) -> bool:
    """Whether a request's body comes without its length."""
    return any(name == b"transfer-encoding" for name, _ in scope["headers"])


def has_body(scope: Scope) -> bool:
    """Whether a request announces a body."""
    return is_chunked(scope) or Headers(scope=scope).get("content-length", "0") != "0"


def _tell_origin(scope: Scope) -> RawHeaders:
    headers, passage = Headers(scope=scope), scope[PASSAGE]
    callers = [one.strip() for told in headers.getlist("x-forwarded-for") for one in told.split(",")]
    caller = scope["client"][0] if scope.get("client") else "unknown"
    prefix = headers.get("x-forwarded-prefix", "").rstrip("/") + passage.prefix
    told = {
        "x-forwarded-for": ", ".join(callers if caller in callers else [*callers, caller]),
        "x-forwarded-host": headers.get("x-forwarded-host") or headers.get("host"),
        "x-forwarded-prefix": prefix,
        "x-forwarded-proto": headers.get("x-forwarded-proto") or scope["scheme"],
    }
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in told.items() if value]


def _drop(headers: Iterable[tuple[bytes, bytes]], names: frozenset[bytes]) -> RawHeaders:
    """Headers in small letters without these names, those of connections, and those that a caller says are."""
    lowered = [(name.lower(), value) for name, value in headers]
    said = {word.strip().lower() for name, value in lowered if name == b"connection" for word in value.split(b",")}
    dropped = names | OF_CONNECTIONS | said
    return [(name, value) for name, value in lowered if name not in dropped]


def _below(place: bytes, prefix: str) -> bytes:
    is_path = place.startswith(b"/") and not place.startswith(b"//")
    return prefix.encode("ascii") + place if is_path else place
