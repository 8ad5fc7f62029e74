"""The port and the certificate, taken before anything is promised."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

from atrous.core.errors import InvalidInputError

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Take a port; from here on callers wait for an answer instead of being refused.

    Raises:
        InvalidInputError: if it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once (TCP_NODELAY) only on sockets that name their protocol; on others every reply
    # waits 40 ms for the caller's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise InvalidInputError(
            f"{host}:{port}: cannot listen there ({error.strerror}); choose another --port, or end what uses it"
        ) from error
    return listener


def raise_file_limit() -> None:
    """Let the process open as many connections as its hard limit says; the soft one is often only 1024."""
    try:
        import resource  # noqa: PLC0415  (not on Windows)
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def check_certificate(certfile: str, keyfile: str) -> None:
    """Let a certificate and its key pass, or none of both.

    Raises:
        InvalidInputError: if one is missing, or they cannot be used.
    """
    if bool(certfile) != bool(keyfile):
        raise InvalidInputError("--certfile and --keyfile: give both or neither")
    if not certfile:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certfile, keyfile, password="")
    except ssl.SSLError as error:
        raise InvalidInputError(
            f"{certfile}, {keyfile}: cannot be used for TLS ({error.reason or 'not PEM'}); give a PEM certificate and "
            "its unencrypted key"
        ) from error
    except OSError as error:
        raise InvalidInputError(
            f"{certfile}, {keyfile}: cannot be read ({error.strerror}); check the paths and who may read them"
        ) from error
