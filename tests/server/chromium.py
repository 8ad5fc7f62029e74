"""A browser of its own for a test: headless Chromium, spoken to over a pipe in its DevTools protocol."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMEOUT_S = 20
# The protocol's pipe: the browser listens on the first and speaks on the second.
TO_BROWSER, FROM_BROWSER = 3, 4
OPTIONS = [
    "--headless", "--remote-debugging-pipe", "--no-sandbox", "--no-first-run", "--disable-gpu", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--disable-sync",
    "--window-size=1000,900",
]  # fmt: skip


@dataclass
class Page:
    """One page of the browser; `complaints` are its uncaught errors and what its policy refused."""

    to_browser: int
    from_browser: int
    complaints: list[str] = field(default_factory=list)
    _session: str | None = None
    _last_id: int = 0
    _unread: bytes = b""

    def open(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.call(f"{domain}.enable")

    def go_to(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, or what its promise comes to."""
        reply = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    def wait_for(self, expression: str) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, f"never came true: {expression}; {self.complaints}"
            time.sleep(0.05)

    def choose_file(self, element_id: str, path: Path) -> None:
        found = self.call("Runtime.evaluate", expression=f"document.getElementById({element_id!r})")
        self.call("DOM.setFileInputFiles", files=[str(path)], objectId=found["result"]["objectId"])

    def save_screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            reply = self._read()
            self._note(reply)
            if reply.get("id") == self._last_id:
                assert "error" not in reply, f"{method}: {reply['error']}"
                return reply["result"]

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(message["params"]["exceptionDetails"]))
        elif message.get("method") == "Log.entryAdded":
            entry = message["params"]["entry"]
            # A refused request is written there too, and shown by the page.
            if entry["level"] == "error" and entry["source"] != "network":
                self.complaints.append(entry["text"])

    def _read(self) -> dict[str, Any]:
        deadline = time.monotonic() + TIMEOUT_S
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self.from_browser], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser says nothing"
            part = os.read(self.from_browser, 1 << 16)
            assert part, "the browser has ended"
            self._unread += part
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)


@contextmanager
def open_page(folder: Path) -> Iterator[Page]:
    """Start the browser with its profile and log in a folder, and end it afterwards."""
    assert PROGRAM
    ends = [fd for pipe in (os.pipe(), os.pipe()) for fd in pipe]
    # Out of the way of the two numbers that the browser knows.
    theirs_in, ours_out, ours_in, theirs_out = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in ends)
    log = os.open(folder / "chromium.log", os.O_WRONLY | os.O_CREAT, 0o600)
    actions = [(os.POSIX_SPAWN_DUP2, theirs_in, TO_BROWSER), (os.POSIX_SPAWN_DUP2, theirs_out, FROM_BROWSER)]
    actions += [(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
    command = [PROGRAM, *OPTIONS, f"--user-data-dir={folder / 'profile'}"]
    pid = os.posix_spawn(PROGRAM, command, os.environ, file_actions=actions, setpgroup=0)
    for fd in (*ends, theirs_in, theirs_out, log):
        os.close(fd)
    try:
        page = Page(ours_out, ours_in)
        page.open()
        yield page
    finally:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ours_out)
        os.close(ours_in)
