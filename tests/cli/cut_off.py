"""All that a server and its command line do, run where there is no network; ends with the word `done`.

Is run by tests/cli/test_network_cut.py in a network namespace of its own.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import tempfile
from pathlib import Path

import httpx
from tests.cli.terminal import Server, publish, run_process
from tests.fakes.pictures import BLACK, RED, as_base64, encode_squares, read_mask

SET_FLAGS, IS_UP = 0x8914, 1
PICTURE = encode_squares([[RED, BLACK]])
DECLARED = {"type": "base64", "value": as_base64(PICTURE)}
MASK = [[1] * 8 + [0] * 8] * 8


def raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", IS_UP))


def check_cut_off() -> None:
    assert [name for _, name in socket.if_nameindex()] == ["lo"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            # A documentation address: nothing is sent by this, and there is no way to it.
            any_socket.connect(("192.0.2.1", 9))
        except OSError:
            return
    raise AssertionError("there is a way out")


def check_server(client: httpx.Client) -> None:
    assert read_mask(client.post("/road/1", content=PICTURE).json()).tolist() == MASK
    reply = client.post("/infer/semantic_segmentation", json={"model_id": "road/1", "image": [DECLARED]})
    assert read_mask(reply.json()[0]).tolist() == MASK
    assert client.post("/road/1?format=image", content=PICTURE).headers["content-type"] == "image/jpeg"
    for path in ("/", "/docs", "/openapi.json", "/info", "/readiness", "/metrics", "/model/registry", "/logs"):
        assert client.get(path).status_code == 200, path
    refused = client.post(
        "/infer/semantic_segmentation", json={"model_id": "road/1", "image": by_url("https://a.example/b")}
    )
    assert refused.status_code == 400, refused.text


def by_url(url: str) -> dict[str, str]:
    return {"type": "url", "value": url}


def check_commands(home: Path) -> None:
    picture = home.parent / "picture.png"
    picture.write_bytes(PICTURE)
    said = run_process(home, "infer", "road/1", str(picture), "--out", str(home.parent / "out"))
    assert said.code == 0, said.err
    assert (home.parent / "out").is_dir()


def main() -> None:
    raise_loopback()
    check_cut_off()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        publish(home)
        with Server(home, settings={"url_pictures": "https"}) as server:
            headers = {"authorization": f"Bearer {server.key}"}
            with httpx.Client(base_url=server.url, headers=headers, timeout=20) as client:
                check_server(client)
            assert not any("Traceback" in line for line in server.err), server.err
        check_commands(home)
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main()
