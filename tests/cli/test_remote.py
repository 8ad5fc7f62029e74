from __future__ import annotations

import base64
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import pytest

from atrous.cli.remote import RemoteModel

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK_HW = np.array([[0, 1], [1, 1]], np.uint8)
PNG = base64.b64encode(cv2.imencode(".png", MASK_HW)[1].tobytes()).decode()


class StockServer(HTTPServer):
    """Answers as a stock server does, which passes over parameters that it does not know."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), StockHandler)
        self.asked: list[dict[str, list[str]]] = []


class StockHandler(BaseHTTPRequestHandler):
    server: StockServer

    def do_POST(self) -> None:
        self.server.asked.append(parse_qs(urlsplit(self.path).query))
        self.rfile.read(int(self.headers["content-length"]))
        masks = {"segmentation_mask": PNG, "confidence_mask": PNG}
        body = json.dumps({"predictions": {**masks, "class_map": {"0": "background", "1": "road"}}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def stock() -> Iterator[StockServer]:
    server = StockServer()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_confidence_is_not_asked_for_and_not_minded(stock: StockServer) -> None:
    model = RemoteModel(f"http://127.0.0.1:{stock.server_port}", "road/1", None, 0.4)
    mask_HW, class_map = model.predict(b"picture")
    assert stock.asked == [{"confidence": ["0.4"], "masks": ["label"]}]
    np.testing.assert_array_equal(mask_HW, MASK_HW)
    assert class_map.names == ("background", "road")
