"""Requests that nobody means well, and what a server may answer to them.

Real requests are recorded as bytes and then damaged: bits flipped, parts cut, inserted and doubled, lengths that lie,
chunks that are none. A Mersenne twister with a seed decides, so a run can be had again.
"""

from __future__ import annotations

import json
import random
import re
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.fakes.pictures import BLACK, BLUE, RED, as_base64, encode_squares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# Far beyond what any of them may take: the servers under attack wait a second for the rest of a head or body.
DEADLINE_S = 15
CALLERS = 16
CLOSED = 0
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) ")
# Full queues, streams and tools of workflows; any other status from 500 on is a fault of ours.
ALLOWED_5XX = {501, 503}
# What parsers of numbers, texts, ids, paths and JSON stumble over.
WORDS = [
    b"", b"0", b"-1", b"1e999", b"NaN", b"null", b"None", b"true", b"[]", b"{}", b'"', b"%", b"%00", b"%ff%fe", b"\0",
    b"\r\n", b"\\ud800", b"\\u0000", b"\xff\xfe", b"../../etc/passwd", b"9" * 63, b"[" * 3000, b'{"a":' * 500,
    b"A" * 9000, b"api_key", b"image", b"file", b"url", b"http://127.0.0.1/", b"$inputs.", b"$steps.x.*", b"road/1",
    b"best",
]  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """A request as it goes over the wire."""

    line: str
    headers: dict[str, str]
    body: bytes = b""

    def pack(self, *extra: str) -> bytes:
        lines = [f"{self.line} HTTP/1.1", "Host: server", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, *extra, "", ""]).encode("latin-1") + self.body


def record_requests(key: str) -> list[Recorded]:
    """One of each kind that the clients send."""
    pictures = [encode_squares([[RED, BLACK, BLUE]], extension=end) for end in (".png", ".jpg", ".webp", ".tiff")]
    picture = as_base64(pictures[1])
    bearer = {"Authorization": f"Bearer {key}"}
    declared = {"type": "base64", "value": picture}
    step = {
        "type": "roboflow_core/roboflow_semantic_segmentation_model@v2",
        "name": "model",
        "images": "$inputs.image",
        "model_id": "road/1",
        "confidence_mode": "custom",
        "custom_confidence": 0.3,
    }
    graph = {
        "version": "1.0",
        "inputs": [{"type": "InferenceImage", "name": "image"}],
        "steps": [step],
        "outputs": [{"type": "JsonField", "name": "all", "selector": "$steps.model.*"}],
    }
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + pictures[0] + b"\r\n--b--\r\n"
    query = "confidence=40&format=image_and_json&labels=True&stroke=2&disable_preproc_contrast=True&overlap=0.3"
    v1 = "POST /infer/semantic_segmentation"
    return [
        Recorded(f"POST /road/1?api_key={key}&{query}", {"Content-Type": "application/json"}, picture.encode()),
        *(Recorded("POST /road/1?format=image", bearer, data) for data in pictures),
        Recorded("POST /road/1", {**bearer, "Content-Type": "multipart/form-data; boundary=b"}, form),
        _record_json(v1, {"model_id": "road/1", "api_key": key, "image": declared, "confidence": 0.5, "id": "a"}),
        _record_json(v1, {"model_id": "road/1", "image": [declared, declared], "visualize_predictions": True}, bearer),
        _record_json("POST /workflows/run", {"specification": graph, "api_key": key, "inputs": {"image": declared}}),
        _record_json("POST /workflows/validate", {"specification": graph, "api_key": key}),
        _record_json("POST /main/workflows/road-1", {"api_key": key, "inputs": {"image": [declared]}}),
        _record_json("POST /model/add", {"model_id": "road/1", "api_key": key}),
        _record_json("POST /model/remove", {"model_id": "road/1"}, bearer),
        Recorded("POST /model/clear", bearer),
        *(
            Recorded(f"GET {path}", bearer)
            for path in (
                "/model/registry?api_key=None",
                "/model/published",
                "/logs?limit=5&level=INFO&since=2026-01-01T00:00:00",
                f"/start/road/1?api_key={key}",
                "/clear_cache",
                "/readiness",
                "/openapi.json",
            )
        ),
    ]


def _record_json(line: str, content: object, headers: dict[str, str] | None = None) -> Recorded:
    return Recorded(line, {"Content-Type": "application/json", **(headers or {})}, json.dumps(content).encode())


def damage_requests(recorded: list[Recorded], count: int, seed: int) -> Iterator[bytes]:
    """Give so many requests with something wrong in each."""
    chance = random.Random(seed)
    for _ in range(count):
        one = chance.choice(recorded)
        yield chance.choice(DAMAGES)(one, chance)


def _damage_body(one: Recorded, chance: random.Random) -> bytes:
    """The head stays true, so that the damage gets far."""
    body = damage(one.body, chance)
    return Recorded(one.line, one.headers, body).pack(f"Content-Length: {len(body)}")


def _damage_line(one: Recorded, chance: random.Random) -> bytes:
    line = damage(one.line.encode(), chance).decode("latin-1")
    return Recorded(line, one.headers, one.body).pack(f"Content-Length: {len(one.body)}")


def _damage_all(one: Recorded, chance: random.Random) -> bytes:
    return damage(one.pack(f"Content-Length: {len(one.body)}"), chance)


def _lie_about_length(one: Recorded, chance: random.Random) -> bytes:
    length = len(one.body)
    lies = ["-1", "+5", "0x10", "1, 1", "9" * 30, "20000001", str(length + 7), str(length // 2), "", "\u00b2"]
    headers = [f"Content-Length: {chance.choice(lies)}"]
    if chance.random() < 0.3:
        headers.append(f"Content-Length: {length}")
    return one.pack(*headers)


def _spoil_chunks(one: Recorded, chance: random.Random) -> bytes:
    """The body in chunks, of which one may be damaged; sometimes under a length as well."""
    half = len(one.body) // 2
    parts = [b"%x\r\n%b\r\n" % (len(part), part) for part in (one.body[:half], one.body[half:]) if part]
    chunks = b"".join([*parts, b"0\r\n\r\n"])
    extra = [f"Content-Length: {half}"] if chance.random() < 0.2 else []
    head = Recorded(one.line, one.headers).pack("Transfer-Encoding: chunked", *extra)
    return head + (chunks if chance.random() < 0.2 else damage(chunks, chance))


def _add_header(one: Recorded, chance: random.Random) -> bytes:
    names = ["x-request-id", "execution_id", "Authorization", "Content-Type", "Expect", "Origin", "Accept", "Upgrade"]
    values = [
        "Basic ====",
        "Bearer \xff",
        "multipart/form-data",
        "multipart/form-data; boundary=" + "x" * 90,
        "\xe9" * 40,
    ]
    value = chance.choice([*values, chance.randbytes(20).decode("latin-1"), "100-continue", "websocket", "x" * 20_000])
    return one.pack(f"{chance.choice(names)}: {value}", f"Content-Length: {len(one.body)}")


# The first ones twice, as they get the furthest.
DAMAGES: list[Callable[[Recorded, random.Random], bytes]] = [
    _damage_body, _damage_body, _damage_body, _damage_line, _damage_all, _lie_about_length, _spoil_chunks, _add_header,
]  # fmt: skip


def damage(data: bytes, chance: random.Random) -> bytes:
    """Hurt bytes in one to four places."""
    hurt = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(hurt))
        end = min(len(hurt), start + chance.choice([1, 2, 8, 64, 1000]))
        match chance.randrange(6):
            case 0:
                for at in range(start, min(end, start + 8)):
                    hurt[at] ^= 1 << chance.randrange(8)
            case 1:
                del hurt[start:end]
            case 2:
                del hurt[start:]
            case 3:
                hurt[start:start] = chance.randbytes(chance.choice([1, 3, 30]))
            case 4:
                hurt[start:start] = hurt[start:end]
            case _:
                hurt[start:end] = chance.choice(WORDS)
    return bytes(hurt)


@dataclass
class Target:
    """A server under attack, what it answered so far, and what it must not have answered."""

    url: str
    pid: int
    key: str
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def rss_bytes(self, name: str = "VmRSS") -> int:
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return next(1024 * int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name}:"))

    def attack(self, requests: Iterable[bytes]) -> None:
        """Send requests, several at a time, each on a connection of its own."""
        with ThreadPoolExecutor(CALLERS) as callers:
            for data, (reply, elapsed_s) in callers.map(self._send, requests):
                self._judge(data, reply, elapsed_s)

    def note(self, status: int, reply: bytes, elapsed_s: float, what: object) -> None:
        """Count an answer, and keep it if there is something wrong with it."""
        self.statuses[status] += 1
        self.slowest_s = max(self.slowest_s, elapsed_s)
        if elapsed_s > DEADLINE_S:
            self.faults.append(f"no end after {elapsed_s:.0f} s: {str(what)[:600]}")
        if status >= 500 and status not in ALLOWED_5XX:
            self.faults.append(f"status {status}: {str(what)[:600]} -> {reply[:300]!r}")
        if self.key.encode() in reply:
            self.faults.append(f"the key is in the reply to {str(what)[:600]}")
        if status >= 400 and not _has_message(reply):
            self.faults.append(f"no object with a message: {str(what)[:600]} -> {reply[:300]!r}")

    def _send(self, data: bytes) -> tuple[bytes, tuple[bytes, float]]:
        return data, send_bytes(self.url, data)

    def _judge(self, data: bytes, reply: bytes, elapsed_s: float) -> None:
        found = STATUS_LINE.match(reply)
        self.note(int(found[1]) if found else CLOSED, reply.partition(b"\r\n\r\n")[2], elapsed_s, data)


def send_bytes(url: str, data: bytes) -> tuple[bytes, float]:
    """Send bytes over a connection of their own.

    Returns:
        All that came back until the other end closed or the first reply was whole, and how long that took in seconds.
    """
    address = urlsplit(url)
    started, reply = time.monotonic(), b""
    with socket.create_connection((address.hostname, address.port), timeout=DEADLINE_S) as connection:
        try:
            connection.sendall(data)
            while not _is_whole(reply) and (part := connection.recv(1 << 16)):
                reply = (reply + part).removeprefix(CONTINUE)
        except TimeoutError:
            return reply, DEADLINE_S + 1.0
        except OSError:
            # Hung up on while it was still sending, or after a refusal.
            pass
    return reply, time.monotonic() - started


def _is_whole(reply: bytes) -> bool:
    head, gap, body = reply.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    return bool(gap) and length is not None and len(body) >= int(length[1])


def _has_message(reply: bytes) -> bool:
    try:
        content = json.loads(reply)
    except ValueError:
        return False
    return isinstance(content, dict) and isinstance(content.get("message"), str) and bool(content["message"])
