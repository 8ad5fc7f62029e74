"""What docs/explanation/scale.md says of the work of one request."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from sqlalchemy import event
from tests.fakes.ports import fake_ports
from tests.server.place import Place

from atrous.adapters.sql_store import open_sqlite_store
from atrous.workspace.keys import create_key

if TYPE_CHECKING:
    from pathlib import Path


def test_a_prediction_reads_the_database_twice_and_writes_nothing(tmp_path: Path) -> None:
    store = open_sqlite_store(tmp_path / "atrous.db")
    ports = replace(fake_ports(tmp_path), store=store, queue=store)
    store.add_workspace("acme")
    _, key = create_key(ports, "acme", "tests")
    place = Place(ports, tmp_path, key)
    place.publish()
    picture = base64.b64encode(cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        statements.append(statement.split(maxsplit=1)[0])

    with place.client(key=key) as client:
        assert client.post("/road/1", content=picture).status_code == 200
        event.listen(store._engine, "before_cursor_execute", note)
        assert client.post("/road/1", content=picture).status_code == 200
        event.remove(store._engine, "before_cursor_execute", note)
    assert [each for each in statements if each != "BEGIN"] == ["SELECT", "SELECT"]
