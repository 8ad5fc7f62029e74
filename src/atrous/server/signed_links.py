"""Links that open one thing for a day, without a key: for clients that send none when they fetch a file."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING

from atrous.core.errors import NotFoundError
from atrous.server.notes import current_notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from atrous.workspace.ports import Ports

LIFE_S = 86_400
KEPT_AS = "links"
SECRET_BYTES = 32
SIGNATURE_BYTES = 24
MAX_TOKEN_LENGTH = 1024
HOST = re.compile(r"[A-Za-z0-9._\-\[\]:]{1,255}")
PREFIX = re.compile(r"(?:/[A-Za-z0-9._~\-]{1,64}){1,8}")


def sign(ports: Ports, kind: str, name: str, *, life_s: int = LIFE_S) -> str:
    """A token for a path, made of letters, digits, `-`, `_` and `.`. Asks the store, so not for the event loop.

    Args:
        ports: the world.
        kind: what the token is good for, such as `exports`; the same word is needed to check it.
        name: of the thing; whoever holds the token can read it.
        life_s: how long it is good for, in seconds.
    """
    return sign_all(ports, kind, [name], life_s=life_s)[0]


def sign_all(ports: Ports, kind: str, names: Sequence[str], *, life_s: int = LIFE_S) -> list[str]:
    """The same for many names, asking the store once."""
    secret = _find_secret(ports)
    expires = int(ports.clock.now().timestamp()) + life_s
    return [f"{expires:x}.{_encode(name.encode())}.{_sign(secret, kind, expires, name)}" for name in names]


def check(ports: Ports, kind: str, token: str) -> str:
    """The name that `sign` was given. Asks the store, so not for the event loop.

    Raises:
        NotFoundError: if the token was not made here for this kind of thing, or is over.
    """
    expires, name, signature = _split(token)
    notes = current_notes()
    if notes is not None:
        # Whoever reads the log shall not be able to use the link.
        notes.secrets.append(signature)
    is_ours = hmac.compare_digest(signature, _sign(_find_secret(ports), kind, expires, name))
    if not is_ours or expires < ports.clock.now().timestamp():
        raise _no_link()
    return name


def own_url(request: Request, path: str) -> str:
    """The address of a path of this server as the caller reaches it, through a proxy as well.

    What the caller says of itself is believed: the address is told to nobody else.
    """
    headers = request.headers
    scheme = headers.get("x-forwarded-proto", request.url.scheme)
    host = headers.get("x-forwarded-host") or headers.get("host") or request.url.netloc
    return "".join(
        [
            scheme if scheme in {"http", "https"} else request.url.scheme,
            "://",
            host if HOST.fullmatch(host) else request.url.netloc,
            own_prefix(request),
            path,
        ]
    )


def own_prefix(request: Request) -> str:
    """What a proxy put before the paths of this server; empty if nothing, or nothing that a path may hold."""
    prefix = request.headers.get("x-forwarded-prefix", "").rstrip("/")
    return prefix if PREFIX.fullmatch(prefix) else ""


def _split(token: str) -> tuple[int, str, str]:
    """Expiry, name and signature of a token of the right form."""
    try:
        expires, name, signature = token[:MAX_TOKEN_LENGTH].split(".")
        return int(expires, 16), _decode(name).decode(), signature.encode("ascii").decode()
    except (ValueError, binascii.Error):
        raise _no_link() from None


def _find_secret(ports: Ports) -> str:
    return ports.store.keep_secret(KEPT_AS, secrets.token_hex(SECRET_BYTES))


def _sign(secret: str, kind: str, expires: int, name: str) -> str:
    content = f"{kind}\n{expires}\n{name}".encode()
    return _encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()[:SIGNATURE_BYTES])


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _no_link() -> NotFoundError:
    return NotFoundError("this link is not valid or over; ask for a new one")
