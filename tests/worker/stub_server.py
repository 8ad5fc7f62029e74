"""A server that starts at once, as the process of a deployment: `NAME MODELS REVISION FD`, ended as a real one is.

It answers with its models. A model `missing` it does not find, `mute` never makes it ready, `hungry` takes 60 MB.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODELS = sys.argv[2].split(",")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503 if self.path == "/readiness" and "mute" in MODELS else 200)
        body = json.dumps({"models": MODELS, "pid": os.getpid()}).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def end_with_stdin() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


def main() -> None:
    sys.stdout.write(f"begins with {sys.argv[2]}\n")
    sys.stdout.flush()
    if "missing" in MODELS:
        sys.stdout.write("error: model 'missing': not found in this workspace\n")
        sys.stdout.flush()
        sys.exit(3)
    held = bytearray(60_000_000 if "hungry" in MODELS else 0)
    held[::4096] = b"x" * len(held[::4096])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    threading.Thread(target=end_with_stdin, daemon=True).start()
    os.write(int(sys.argv[-1]), f"http://127.0.0.1:{server.server_port}\n".encode())
    server.serve_forever()


if __name__ == "__main__":
    main()
